package inside

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// headroom is what a worker may map beyond twice the limit of a job: the
// engine's copies, and Go's own.
const headroom = 32 << 20

// wallIn closes the doors of this process for good: no file, no socket, no new
// program, little memory. It does what the kernel can; the rest of the walls
// stand without it.
func wallIn(memory int64) error {
	now, err := mapped()
	if err != nil {
		return err
	}
	if err := limit(unix.RLIMIT_CORE, 0); err != nil {
		return err
	}
	if !raced { // the race detector maps more than any limit
		if err := limit(unix.RLIMIT_DATA, uint64(now+2*memory+headroom)); err != nil { //nolint:gosec // positive
			return err
		}
	}
	if err := restrict(); err != nil {
		return err
	}
	// What landlock leaves open, such as UDP and multipath TCP, needs a socket.
	// Go's own poller has its handles since mapped has read a file.
	return limit(unix.RLIMIT_NOFILE, 3)
}

// restrict has the kernel refuse files, TCP, other programs and signals to others.
func restrict() error {
	if err := landlock.V6.BestEffort().Restrict(); err != nil {
		return fmt.Errorf("restrict files and network: %w", err)
	}
	return nil
}

func limit(what int, most uint64) error {
	if err := unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return fmt.Errorf("set limit %d: %w", what, err)
	}
	return nil
}

// mapped is how much data this process has mapped, in bytes.
func mapped() (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read the memory in use: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmData:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("read the memory in use: no VmData in %s", f.Name())
}
