package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// told is an ear that hears what is written down.
type told struct{ places []int64 }

func (e *told) next() ([]byte, error) {
	if len(e.places) == 0 {
		return nil, io.EOF
	}
	place := e.places[0]
	e.places = e.places[1:]
	return fmt.Appendf(nil, `{"data":{"ticketStatusChanged":{"cursor":%q}}}`, cursorAt(place)), nil
}

func (*told) Close() error { return nil }

// A figure counts only when each subscriber heard each event once, in order.
func TestCrowdNoticesWhatWasNotHeard(t *testing.T) {
	for name, c := range map[string]struct {
		heard [2][]int64
		want  string
	}{
		"all":        {[2][]int64{{4, 5, 7}, {4, 5, 7}}, ""},
		"one twice":  {[2][]int64{{4, 5, 5}, {4, 5, 7}}, "event 5 came after event 5"},
		"disordered": {[2][]int64{{5, 4, 7}, {4, 5, 7}}, "event 4 came after event 5"},
		"one less":   {[2][]int64{{4, 7}, {4, 5, 7}}, "subscriber 0 heard 2 of 3 events"},
		"the wrong":  {[2][]int64{{4, 5, 7}, {4, 5, 6}}, "the last being 6 instead of 7"},
	} {
		t.Run(name, func(t *testing.T) {
			crowd := &crowd{full: make(chan struct{}, 1), failed: make(chan error, 2)}
			for _, places := range c.heard {
				l := &listener{ear: &told{places}}
				crowd.listeners = append(crowd.listeners, l)
				crowd.listen(l)
			}
			got := ""
			for range crowd.listeners {
				if err := <-crowd.failed; err != io.EOF { //nolint:errorlint // as told gives it
					got += err.Error()
				}
			}
			if err := crowd.whole(3); err != nil {
				got += err.Error()
			}
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

func TestFormPutsTheNumberInEachPlace(t *testing.T) {
	f := formOf(body("q", map[string]any{"in": alert("a", placeNumber)}))
	if got, want := string(f.with(42)), string(body("q", map[string]any{"in": alert("a", 42)})); got != want {
		t.Errorf("the form gave %s, want %s", got, want)
	}
}
