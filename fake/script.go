package fake

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Step is one scripted answer of an HTTP fake. Its JSON form is what a script file holds; the zero Step behaves.
//
// What happens, in this order: with Apply the vendor does its work; with Hang the request waits for Release; with Reset
// the connection is torn down; with Status that answer is given; else the vendor's own answer is. So Apply with Reset is
// a write whose answer is lost, and Apply with a Status of 500 is work done in spite of an error.
type Step struct {
	Path    string            `json:"path,omitempty"`    // the request path it is for; empty: any
	Times   int               `json:"times,omitempty"`   // how many requests it is for; 0 is one, below 0 all of them
	Apply   bool              `json:"apply,omitempty"`   // the vendor does its work first
	Hang    bool              `json:"hang,omitempty"`    // say nothing until released
	Reset   bool              `json:"reset,omitempty"`   // tear the connection down
	Status  int               `json:"status,omitempty"`  // answer with this status, Headers and Body
	Headers map[string]string `json:"headers,omitempty"` // for example Retry-After, Content-Type, Location
	Body    string            `json:"body,omitempty"`    // may be empty, or HTML
	Drip    int               `json:"drip,omitempty"`    // milliseconds between two bytes of the answer's body
}

// Repeats is how many requests the step is for.
func (s Step) Repeats() int { return s.Times }

// Check tells what is wrong with a step that could never be played, and what to give instead.
func (s Step) Check() error {
	switch {
	case s.Path != "" && !strings.HasPrefix(s.Path, "/"):
		return fmt.Errorf("path: %q is no path of a request; begin it with /", s.Path)
	case s.Status != 0 && (s.Status < http.StatusOK || s.Status > 599):
		return fmt.Errorf("status: %d is none of an answer; give 200 to 599", s.Status)
	case s.Status == 0 && (s.Body != "" || len(s.Headers) > 0):
		return errors.New("status: is missing, without it headers and body are not sent; give one such as 503")
	case s.Drip < 0:
		return fmt.Errorf("drip: %d is less than nothing; give milliseconds", s.Drip)
	}
	return nil
}

// behaves tells whether the vendor's work is done before anything else happens.
func (s Step) behaves() bool {
	return s.Apply || !s.Hang && !s.Reset && s.Status == 0
}

// Script is a queue of steps, each used up by the requests that it matches. The zero Script is ready and empty.
type Script[S interface{ Repeats() int }] struct {
	mu   sync.Mutex
	cues []cue[S]
}

type cue[S any] struct {
	step S
	left int
}

// Play appends steps.
func (s *Script[S]) Play(steps ...S) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, step := range steps {
		left := step.Repeats()
		if left == 0 {
			left = 1
		}
		s.cues = append(s.cues, cue[S]{step, left})
	}
}

// Take uses up and returns the first step that matches, or the zero step.
func (s *Script[S]) Take(matches func(S) bool) S {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.cues, func(c cue[S]) bool { return matches(c.step) })
	if i < 0 {
		var behave S
		return behave
	}
	step := s.cues[i].step
	s.cues[i].left--
	if s.cues[i].left == 0 {
		s.cues = slices.Delete(s.cues, i, i+1)
	}
	return step
}

// Clear forgets every step that is left, so that the vendor behaves from now on.
func (s *Script[S]) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cues = nil
}
