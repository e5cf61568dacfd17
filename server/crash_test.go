package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"tocsin/dispatch/crash"
)

var opens = regexp.MustCompile(` OPENED of `)

// crashing builds the program that can be told where to die, once for all tests.
var crashing = sync.OnceValues(func() (string, error) {
	usual, err := binary()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(usual), "tocsin-crashing")
	out, err := exec.Command("go", "build", "-trimpath", "-tags", "crashpoints", "-o", path, "..").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// moments are the points of the walk, and the clients that it takes to pass them.
var moments = []struct {
	name    string
	singles int
	spread  int // of the passings after the first
}{
	{crash.BeforePlan, 16, 400},
	{crash.BeforeCommit, 16, 100},
	{crash.GroupCommit, 3 * crash.Crowd, 8},
	{crash.BeforeAnswer, 16, 400},
	{crash.AfterClaim, 16, 400},
	{crash.AfterSend, 16, 400},
	{crash.AfterSettle, 16, 400},
}

// notRaced skips a test whose program is built apart, without the race detector:
// beside the detector it shows nothing more.
func notRaced(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("the program under test is built without the race detector; the plain run has shown it")
	}
}

// TestCrashMatrix has the program die at each point of an alert's walk, at the
// first passing and at two under load, and looks at what is left.
func TestCrashMatrix(t *testing.T) {
	notRaced(t)
	crashMatrix(t, 3)
}

// TestCrashMatrixLong does so at forty passings of each.
func TestCrashMatrixLong(t *testing.T) {
	if os.Getenv("TOCSIN_LONG") == "" {
		t.Skip("takes minutes; set TOCSIN_LONG=1 to run it")
	}
	crashMatrix(t, 40)
}

func crashMatrix(t *testing.T, deaths int) {
	var all tally
	random := rand.New(rand.NewPCG(5, 6))
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			s := newScene(t)
			s.program.kill()
			s.kills++
			for i := range deaths {
				passing := 1
				if i > 0 {
					passing += random.IntN(m.spread)
				}
				s.dieAt(fmt.Sprintf("%s:%d:%dµs", m.name, passing, random.IntN(2000)), m.singles)
			}
			sum := s.settle()
			t.Log(sum)
			all = all.plus(sum)
		})
	}
	t.Log("all together:", all)
}

// dieAt starts the program, loads it until it has died where it was told to.
func (s *scene) dieAt(where string, singles int) {
	s.t.Helper()
	p := s.program
	p.build, p.env = crashing, []string{crash.Variable + "=" + where}
	p.launch(s.t)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	died := make(chan error, 1)
	go func() { died <- p.cmd.Wait() }()
	gone := s.live(ctx, singles, 2)
	select {
	case err := <-died:
		if !killed(err) {
			s.t.Errorf("%s: the program ended with %v", where, err)
		}
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
		<-died
		s.t.Errorf("%s: the program never came there", where)
	}
	<-gone
	s.kills++
}

// killed tells whether a process was ended by SIGKILL.
func killed(err error) bool {
	exit, ok := err.(*exec.ExitError) //nolint:errorlint // Wait returns it as it is
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// live is one life under load, once the program answers: the channel is closed
// when it has ended, which is with the program; that may also die before.
func (s *scene) live(ctx context.Context, singles, batches int) (gone <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if !s.program.answers(ctx) {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var listeners sync.WaitGroup
		for _, l := range s.listeners {
			listeners.Go(func() { l.listen(ctx, "") })
		}
		s.load.live(ctx, singles, batches)
		cancel()
		listeners.Wait()
	}()
	return ended
}

// answers waits until the program is ready; false when it died before.
func (p *program) answers(ctx context.Context) bool {
	for ctx.Err() == nil {
		if status, _ := p.readyz(); status == http.StatusOK {
			return true
		}
		if p.cmd.Process.Signal(syscall.Signal(0)) != nil {
			return false
		}
	}
	return false
}
