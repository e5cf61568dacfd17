package sentinelone

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestLanes keeps to the limits of each path, and sends away who would be held
// for long.
func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes()
		for _, row := range []struct {
			path  string
			calls int
			took  time.Duration
		}{
			{"/threats", 60, time.Second}, {"/threats/notes", 1000, 0}, {"/agents/actions/disconnect", 26, time.Second},
		} {
			began := time.Now()
			for range row.calls {
				if _, err := l.enter(t.Context(), row.path); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(began); took.Round(10*time.Millisecond) != row.took {
				t.Errorf("%d calls of %s took %v, want %v", row.calls, row.path, took, row.took)
			}
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		away := 0
		for range 100 {
			all.Go(func() {
				if wait, err := l.enter(t.Context(), "/agents"); err != nil && wait > longest {
					mu.Lock()
					defer mu.Unlock()
					away++
				}
			})
		}
		all.Wait()
		if away == 0 || away == 100 {
			t.Errorf("%d of 100 were sent away", away)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.enter(ctx, "/agents"); err == nil {
			t.Error("one whose time has ended was let in")
		}
	})
}
