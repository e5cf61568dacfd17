package server

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// TestKilledAtRandom kills the program with -9 ten times at random moments, of
// starting and of working, and looks at what is left.
func TestKilledAtRandom(t *testing.T) {
	notRaced(t)
	t.Log(killedAtRandom(t, rand.New(rand.NewPCG(7, 8)), 10))
}

// TestKilledAtRandomLong does so a thousand times, on twenty books.
func TestKilledAtRandomLong(t *testing.T) {
	if os.Getenv("TOCSIN_LONG") == "" {
		t.Skip("takes half an hour; set TOCSIN_LONG=1 to run it")
	}
	var all tally
	for run := range 20 {
		sum := killedAtRandom(t, rand.New(rand.NewPCG(9, uint64(run))), 50)
		all = all.plus(sum)
		t.Log("so far:", all)
	}
	t.Log("all together:", all)
}

func killedAtRandom(t *testing.T, random *rand.Rand, kills int) tally {
	t.Helper()
	s := newScene(t)
	s.program.kill()
	for range kills {
		longest := 600 * time.Millisecond // of work
		working := random.IntN(5) > 0
		if !working {
			longest = 100 * time.Millisecond // while it starts
		}
		s.killIn(time.Duration(random.Int64N(int64(longest))), working)
	}
	return s.settle()
}

// killIn starts the program and kills it after a time, counted from its first
// answer or from its start.
func (s *scene) killIn(life time.Duration, working bool) {
	s.t.Helper()
	p := s.program
	p.launch(s.t)
	if working {
		p.ready()
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	gone := s.live(ctx, 24, 3)
	<-time.After(life)
	p.kill()
	cancel()
	<-gone
	s.kills++
}
