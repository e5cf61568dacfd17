package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is this binary executed again as the thing that is measured.
type process struct {
	cmd  *exec.Cmd
	pid  int
	addr string
	out  *os.File // what it printed; a file, so that it is there when the process answers
}

// startLimit is how long a child may take to answer.
const startLimit = 10 * time.Second

// start runs the binary with a command and waits until it answers at a path.
func start(ctx context.Context, ready string, args func(addr string) []string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	p := &process{addr: addr}
	if p.out, err = os.CreateTemp("", "tocsin-bench-"); err != nil {
		return nil, err
	}
	p.cmd = exec.CommandContext(ctx, self, args(addr)...) //nolint:gosec // this binary itself
	var errs strings.Builder
	p.cmd.Stdout, p.cmd.Stderr = p.out, &errs
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.pid = p.cmd.Process.Pid
	for end := time.Now().Add(startLimit); ; {
		if answers(ctx, "http://"+addr+ready) {
			return p, nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			_ = p.cmd.Process.Kill() // it is of no use
			_ = p.cmd.Wait()
			return nil, fmt.Errorf("%s does not answer: %s", args(addr)[0], errs.String())
		}
	}
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	answer, err := client.Do(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// printed is what the process has printed so far.
func (p *process) printed() string {
	text, err := os.ReadFile(p.out.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// stop ends the process as an operator would.
func (p *process) stop() error {
	defer os.Remove(p.out.Name())
	defer p.out.Close()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() { // a limit program ends by the signal
		return nil
	}
	return err
}

// ticksPerSecond is USER_HZ, which is 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// cpu is the time on the processor so far, user and system; 0 where the system
// does not tell.
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticksPerSecond
}

// resident is the memory of the process in MiB; 0 where the system does not tell.
func (p *process) resident() float64 {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var kb float64
		if n, _ := fmt.Sscanf(lines.Text(), "VmRSS: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}
