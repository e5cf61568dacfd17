package slack

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestOnePerSecond: in one channel messages keep their distance, in another
// nobody waits, and those who would wait long are sent away one by one.
func TestOnePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		start := time.Now()
		for range 4 {
			if _, err := l.enter(t.Context(), "#a"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("four messages took %v, want 3s", took)
		}
		if _, err := l.enter(t.Context(), "#b"); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("another channel waited: %v", err)
		}
		var away []time.Duration
		done := make(chan struct{})
		for range 3 { // they hold the seconds 1 to 3
			go func() { _, _ = l.enter(t.Context(), "#a"); done <- struct{}{} }()
		}
		synctest.Wait()
		for range 3 {
			wait, err := l.enter(t.Context(), "#a")
			if err == nil {
				t.Fatal("waited longer than is held")
			}
			away = append(away, wait)
		}
		if away[0] != 4*time.Second || away[1] != 5*time.Second || away[2] != 6*time.Second {
			t.Errorf("sent away for %v, want 4s, 5s, 6s", away)
		}
		for range 3 {
			<-done
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := l.enter(ctx, "#a"); err == nil {
			t.Error("waited longer than the context")
		}
	})
}
