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
	"sync"
	"syscall"
	"time"
)

// process is this binary executed again as the thing that is measured.
type process struct {
	cmd  *exec.Cmd
	pid  int
	addr string
	out  *os.File // what it printed; a file, so that it is there when the process answers

	ready time.Duration // from its start to its first answer
	ended bool
}

// fleet are the processes of a measurement, so that none outlives one that failed.
type fleet struct {
	mu    sync.Mutex
	ships []*process
}

type fleetKey struct{}

// withFleet is a context whose processes end when the function is called.
func withFleet(ctx context.Context) (context.Context, func()) {
	f := &fleet{}
	return context.WithValue(ctx, fleetKey{}, f), f.end
}

func (f *fleet) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.ships {
		p.kill()
	}
}

// kill ends the process if it still runs.
func (p *process) kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.cmd.Process.Kill() // it is of no use any more
	_ = p.cmd.Wait()
	_ = p.out.Close()
	_ = os.Remove(p.out.Name())
}

// startLimit is how long a child may take to answer.
const startLimit = 10 * time.Second

// start runs the binary with a command and waits until it answers at a path.
func start(ctx context.Context, ready string, args func(addr string) []string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startProgram(ctx, self, ready, args)
}

// startProgram runs any program so.
func startProgram(ctx context.Context, program, ready string, args func(addr string) []string) (*process, error) {
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	p := &process{addr: addr}
	if p.out, err = os.CreateTemp("", "tocsin-bench-"); err != nil {
		return nil, err
	}
	p.cmd = exec.CommandContext(ctx, program, args(addr)...) //nolint:gosec // this binary itself, or ours that was built
	var errs strings.Builder
	p.cmd.Stdout, p.cmd.Stderr = p.out, &errs
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.pid = p.cmd.Process.Pid
	if f, ok := ctx.Value(fleetKey{}).(*fleet); ok {
		f.mu.Lock()
		f.ships = append(f.ships, p)
		f.mu.Unlock()
	}
	for began := time.Now(); ; {
		if answers(ctx, "http://"+addr+ready) {
			p.ready = time.Since(began)
			return p, nil
		}
		if time.Since(began) > startLimit || ctx.Err() != nil {
			p.kill()
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
	p.ended = true
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
