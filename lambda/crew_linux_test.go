package lambda

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tocsin/lambda/internal/wire"
)

// parent is what this program is called when it is to be killed over its crew.
const parent = "tocsin-lambda-parent"

// beParent has a worker at a long job, tells its process and waits for its own end.
func beParent() {
	c := NewCrew(Options{Size: 1, Deadline: time.Hour})
	w, err := hire(context.Background(), c.o)
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return
	}
	fmt.Fprintln(os.Stdout, w.process.Process.Pid)
	_, _ = w.do(context.Background(), wire.Job{Do: wire.RunLambda, Source: endless, Alert: []byte("{}")})
}

// A worker at work does not outlive a program that is killed.
func TestWorkerDiesWithTheProgram(t *testing.T) {
	p := exec.Cmd{Path: "/proc/self/exe", Args: []string{parent}}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(line, err)
	}
	worker, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Skip("this kernel has no handles of processes: ", err)
	}
	defer unix.Close(worker)
	_ = p.Process.Kill()
	_ = p.Wait()
	ended, err := unix.Poll([]unix.PollFd{{Fd: int32(worker), Events: unix.POLLIN}}, 10_000)
	if ended != 1 {
		t.Errorf("the worker lives on, %v", err)
	}
}

// The worker is not this program by its environment.
func TestWorkerHasNoEnvironment(t *testing.T) {
	t.Setenv("TOCSIN_SECRET", "x")
	c := crew(t, Options{Size: 1})
	mustRun(t, c)
	pid := c.hand(t).process.Process.Pid
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || len(env) > 0 {
		t.Errorf("got %q, %v", env, err)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || cwd != "/" {
		t.Errorf("it is at %s, %v", cwd, err)
	}
}
