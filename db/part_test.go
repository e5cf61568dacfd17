package db

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// partVariable names the part that this program plays when a test starts it as
// another process; its words are the part and its arguments.
const partVariable = "TOCSIN_TEST_PART"

// play plays a part and returns the exit code.
func play(part string) int {
	words := strings.Fields(part)
	var err error
	switch words[0] {
	case "open": // a database, with a key file
		err = openAndClose(words[1], words[2])
	case "raise": // alerts into a database, with a key file, synchronous as is said
		err = raiseUnderTrace(words[1], words[2], words[3])
	case "lock": // a file, until standard input ends
		err = lockFile(words[1])
	default:
		err = fmt.Errorf("no part is called %s", words[0])
	}
	if err != nil {
		fmt.Println(err) //nolint:forbidigo // to the test that started this
		return 1
	}
	return 0
}

func openAndClose(url, keyFile string) error {
	keys, err := OpenKeyring(keyFile)
	if err != nil {
		return err
	}
	store, err := Open(context.Background(), url, Options{Keyring: keys, Serve: true})
	if err != nil {
		return err
	}
	return store.Close()
}

func lockFile(path string) error {
	db, err := sql.Open("sqlite", dsn(path, "rwc", 0))
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(context.Background(), nil) // immediate
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	fmt.Println("locked") //nolint:forbidigo // to the test that started this
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// another starts this program as another process that plays a part, under
// another user if one is given.
func another(t *testing.T, who *syscall.Credential, part ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	if _, err := os.Stat(cmd.Path); err != nil {
		if cmd.Path, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Env = append(os.Environ(), partVariable+"="+strings.Join(part, " "))
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	return cmd
}
