package inside

import (
	"os"
	"runtime/metrics"
	"time"

	"tocsin/lambda/internal/wire"
)

// maxStack is how deep Go's own recursion may go, of templates and of esbuild;
// the engine of the lambdas has its own measure and stays below.
const maxStack = 64 << 20

// watch ends the process when the heap of Go grows by more than the limit while
// a job runs, or when the job runs on though nobody can be waiting for it; the
// returned function ends the watch. The engine of the lambdas has its memory
// elsewhere and its own limit.
func watch(l wire.Limits) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		before, late := heap(), time.After(4*l.Deadline+time.Second)
		for {
			select {
			case <-done:
				return
			case <-late:
				os.Exit(wire.ExitMemory)
			case <-tick.C:
				if heap() > before+uint64(l.Memory) { //nolint:gosec // positive, NewCrew sees to it
					os.Exit(wire.ExitMemory)
				}
			}
		}
	}()
	return func() { close(done); <-ended }
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() + sample[1].Value.Uint64()
}
