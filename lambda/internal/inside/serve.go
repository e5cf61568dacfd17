// Package inside is the worker's side of the sandbox: a process that walls
// itself in, then runs what users wrote, job by job, and knows nothing of the
// server. Who started it kills it when a job takes too long: nothing in here is
// trusted to stop.
package inside

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"tocsin/lambda/internal/wire"
)

const (
	maxJob  = 16 << 20 // bytes
	maxJobs = 20_000   // after which a new process takes over, so that nothing piles up
)

// Serve is the life of a worker: it answers jobs until there are no more. The
// first frame that it writes is an empty answer, which says that it is ready.
func Serve(limits string, jobs io.Reader, answers io.Writer) error {
	var l wire.Limits
	if err := json.Unmarshal([]byte(limits), &l); err != nil {
		return fmt.Errorf("read the limits: %w", err)
	}
	runtime.GOMAXPROCS(2) // one for the job, one to watch it
	debug.SetMemoryLimit(2 * l.Memory)
	debug.SetMaxStack(maxStack)
	if err := os.Setenv("TZ", "UTC"); err != nil { // for the time is the same wherever a worker runs
		return err
	}
	s, err := newScripts(l)
	if err != nil {
		return err
	}
	if err := wallIn(l.Memory); err != nil {
		return err
	}
	if err := wire.Write(answers, wire.Answer{}); err != nil {
		return err
	}
	return work(&worker{limits: l, scripts: s}, jobs, answers)
}

func work(w *worker, jobs io.Reader, answers io.Writer) error {
	for n := 1; ; n++ {
		w.scripts.ready()
		var job wire.Job
		if err := wire.Read(jobs, maxJob, &job); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a := w.do(job)
		a.Retire = a.Retire || n == maxJobs
		if err := wire.Write(answers, a); err != nil || a.Retire {
			return err
		}
	}
}

type worker struct {
	limits  wire.Limits
	scripts *scripts
}

// do does a job, watched. A panic of an engine leaves it in no known state, so
// the worker retires.
func (w *worker) do(job wire.Job) (a wire.Answer) {
	defer watch(w.limits)()
	defer func() {
		if r := recover(); r != nil {
			a = wire.Answer{Fault: wire.Faultf("the engine failed: %s", short(fmt.Sprint(r))), Retire: true}
		}
	}()
	switch job.Do {
	case wire.CheckLambda, wire.RunLambda:
		return w.scripts.run(job)
	case wire.CheckTemplate, wire.RenderTemplate:
		return render(job)
	}
	return wire.Answer{Fault: wire.Faultf("there is no job %q", job.Do)}
}
