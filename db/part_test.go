package db

import (
	"fmt"
	"os"
)

// partVariable names the part that this program plays when a test starts it as
// another process.
const partVariable = "TOCSIN_TEST_PART"

// play plays a part and returns the exit code.
func play(part string) int {
	fmt.Fprintln(os.Stderr, "no part is called", part)
	return 2
}
