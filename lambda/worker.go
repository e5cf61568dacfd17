package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"tocsin/lambda/internal/wire"
)

const (
	maxStart  = 10 * time.Second // from the start of a process until it is ready
	maxAround = 4 << 20          // bytes of an answer beside the alert: logs, warnings, text
	maxJob    = 8 << 20          // bytes of an alert, its configuration and data
)

// worker is a process, and the pipes to it. One goroutine uses it at a time.
type worker struct {
	o       Options
	process *exec.Cmd
	jobs    *os.File
	answers *os.File
	sorry   *lastWords
	gone    chan struct{} // closed when the process has ended and is no zombie
}

// hire starts a worker and waits until it is ready.
func hire(ctx context.Context, o Options) (*worker, error) {
	if isWorker() || len(os.Args) > 0 && os.Args[0] == workerName {
		return nil, errors.New("a worker starts no workers; lambda.Inside must be the first line of main and of TestMain")
	}
	w, err := launch(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxStart, fmt.Errorf("it is not ready after %v", maxStart))
	defer cancel()
	stop := context.AfterFunc(ctx, w.kill)
	var ready wire.Answer
	err = wire.Read(w.answers, maxAround, &ready)
	if stop() && err == nil {
		return w, nil
	}
	w.end()
	return nil, errors.Join(err, context.Cause(ctx), w.sorry.err())
}

func launch(o Options) (*worker, error) {
	self, err := program()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	limits, err := json.Marshal(wire.Limits{Deadline: o.Deadline, Memory: o.Memory, Output: o.Output})
	if err != nil {
		return nil, err
	}
	jobs, toWorker, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer jobs.Close()
	fromWorker, answers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, toWorker.Close())
	}
	defer answers.Close()
	w := &worker{o: o, jobs: toWorker, answers: fromWorker, sorry: &lastWords{}, gone: make(chan struct{})}
	w.process = &exec.Cmd{
		Path: self, Args: []string{workerName, string(limits)}, Env: []string{}, Dir: "/",
		Stdin: jobs, Stdout: answers, Stderr: w.sorry, SysProcAttr: bound(), WaitDelay: time.Second,
	}
	if err := w.process.Start(); err != nil {
		return nil, errors.Join(err, toWorker.Close(), fromWorker.Close())
	}
	go w.bury()
	return w, nil
}

// bury waits for the end of the process.
func (w *worker) bury() {
	defer close(w.gone)
	_ = w.process.Wait() // how it ended shows in what was read of it
}

// do has one job done. After an error the worker is of no more use.
func (w *worker) do(ctx context.Context, job wire.Job) (wire.Answer, error) {
	most := w.o.Deadline + grace
	ctx, cancel := context.WithTimeoutCause(ctx, most, errors.New(wire.TookLonger(w.o.Deadline)))
	defer cancel()
	stop := context.AfterFunc(ctx, w.kill)
	var answer wire.Answer
	err := wire.Write(w.jobs, job)
	if err == nil {
		err = wire.Read(w.answers, w.o.Output+maxAround, &answer)
	}
	if !stop() { // killed, perhaps just after the answer
		if err != nil {
			return wire.Answer{}, context.Cause(ctx)
		}
		answer.Retire = true
	}
	if err != nil {
		w.end()
		return wire.Answer{}, w.death()
	}
	return answer, nil
}

// death says why a worker died by itself.
func (w *worker) death() error {
	words := w.sorry.String()
	switch {
	case w.process.ProcessState != nil && w.process.ProcessState.ExitCode() == wire.ExitMemory,
		strings.Contains(words, "out of memory"), strings.Contains(words, "cannot allocate memory"):
		return errors.New(wire.NeedsMore(w.o.Memory))
	case strings.Contains(words, "stack overflow"), strings.Contains(words, "stack exceeds"):
		return errors.New("calls itself too deeply")
	}
	return errors.New("its worker died of it, or was killed from outside")
}

// kill ends the process and whoever waits at its pipes, at once.
func (w *worker) kill() {
	_ = w.process.Process.Kill() // it may have ended
	w.jobs.Close()
	w.answers.Close()
}

// end kills the process and waits until it is gone.
func (w *worker) end() {
	w.kill()
	<-w.gone
}

// isGone tells whether the process has ended by itself.
func (w *worker) isGone() bool {
	select {
	case <-w.gone:
		w.kill() // the pipes
		return true
	default:
		return false
	}
}

// lastWords keeps the beginning of what a process says when it dies.
type lastWords struct {
	lock sync.Mutex
	text []byte
}

const maxLastWords = 2 << 10

// Write takes all and keeps little.
func (l *lastWords) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.text = append(l.text, p[:min(len(p), maxLastWords-len(l.text))]...)
	return len(p), nil
}

// String is what was kept.
func (l *lastWords) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return string(l.text)
}

func (l *lastWords) err() error {
	if words := l.String(); words != "" {
		return errors.New(words)
	}
	return nil
}
