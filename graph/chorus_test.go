package graph

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"tocsin/dispatch"
)

// TestChorus: many ask the same from different places, some leave and come back
// where they were: each hears every event once and in order, as one who is alone.
func TestChorus(t *testing.T) {
	s := newStage(t)
	s.furnish()
	const members, raises = 30, 200
	want := make([]string, raises)
	for i := range want {
		want[i] = fmt.Sprint("key ", i)
	}
	after := s.head()["after"]
	var all sync.WaitGroup
	heard := make([][]string, members)
	for m := range members {
		all.Go(func() {
			turns := rand.New(rand.NewPCG(20261125, uint64(m)))
			at := after
			for len(heard[m]) < raises {
				e := s.events(s.tokens[dispatch.ScopeRead], watchTickets, map[string]any{"after": at})
				for stay := 1 + turns.IntN(raises); stay > 0 && len(heard[m]) < raises; stay-- {
					got, _, ok := e.next()
					if !ok {
						t.Errorf("member %d: the stream ended", m)
						return
					}
					heard[m] = append(heard[m], fmt.Sprint(s.dig(got.data, "data", "ticketEvents", "ticket", "key")))
					at = s.dig(got.data, "data", "ticketEvents", "cursor")
				}
				_ = e.response.Body.Close()
			}
		})
	}
	for _, key := range want {
		s.raise(key)
	}
	all.Wait()
	for m := range heard {
		if fmt.Sprint(heard[m]) != fmt.Sprint(want) {
			t.Errorf("member %d heard %v", m, heard[m])
		}
	}
	s.server.chorus.mu.Lock()
	defer s.server.chorus.mu.Unlock()
	if len(s.server.chorus.parts) > 1 {
		t.Errorf("%d executions for one question", len(s.server.chorus.parts))
	}
}

// TestSeatFallsBehind: a member that does not keep up is told so, and takes part
// again from an answer that it has seen.
func TestSeatFallsBehind(t *testing.T) {
	s := &seat{more: make(chan struct{}, 1), take: func(song) bool { return false }}
	for i := range seatQueue + 10 {
		s.hear(song{place: fmt.Sprint(i)})
	}
	if songs, ok := s.next(t.Context()); ok {
		t.Errorf("a seat with a gap gave %d songs", len(songs))
	}
	for i := range 3 {
		s.hear(song{place: fmt.Sprint("later ", i)})
	}
	if s.meets("5") || !s.meets("later 0") {
		t.Error("it meets what it did not keep")
	}
	if songs, ok := s.next(t.Context()); !ok || len(songs) != 2 || songs[0].place != "later 1" {
		t.Errorf("after that it gave %v, %v", songs, ok)
	}
}

// TestSeatTakes: a member that waits takes each song at once, until it cannot;
// then all stay in order in its queue, and it knows where it was.
func TestSeatTakes(t *testing.T) {
	var had []string
	room := 2
	s := &seat{more: make(chan struct{}, 1), take: func(one song) bool {
		if room == 0 {
			return false
		}
		room--
		had = append(had, one.place)
		return true
	}}
	s.hear(song{place: "before it waits"})
	if songs, ok := s.next(t.Context()); !ok || len(songs) != 1 || len(had) > 0 {
		t.Fatalf("it gave %v, %v, and took %v", songs, ok, had)
	}
	waiting := make(chan []song)
	go func() {
		songs, _ := s.next(t.Context())
		waiting <- songs
	}()
	for began := false; !began; runtime.Gosched() {
		s.mu.Lock()
		began = s.waiting
		s.mu.Unlock()
	}
	for i := range 4 {
		s.hear(song{place: fmt.Sprint(i)})
	}
	places := []string{}
	for rest := <-waiting; ; rest, _ = s.next(t.Context()) { // it may wake before the last came
		for _, one := range rest {
			places = append(places, one.place)
		}
		if len(places) >= 2 {
			break
		}
	}
	if fmt.Sprint(had) != "[0 1]" || s.taken() != "1" || s.taken() != "" || fmt.Sprint(places) != "[2 3]" {
		t.Errorf("it took %v and left %v", had, places)
	}
}
