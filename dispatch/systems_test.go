package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"tocsin/dispatch"
)

// system is an external system with copies of tickets. It tells what happens to
// them as events, as it is asked, or both; people work on them there, too.
type system struct {
	name   string
	tells  bool // events, of our own doing too
	signs  bool // and says of those that they are our own
	polled bool
	asked  bool
	mirror bool

	mu      sync.Mutex
	copies  map[string]*replica // by name
	events  []dispatch.StatusChange
	faults  []fault
	slow    time.Duration // how long a call takes
	denied  bool          // bad credentials
	updates int
	number  int
}

type replica struct {
	status  dispatch.TicketStatus
	changed time.Time
}

// fault is how a call goes wrong.
type fault int

const (
	notSent    fault = iota // it never arrived
	answerLost              // it was done, and the answer was lost
)

var errSystem = errors.New("the system is unwell")

// do performs a call: after its time, with its fault.
func (s *system) do(ctx context.Context, work func() dispatch.Ref) dispatch.Outcome {
	s.mu.Lock()
	slow := s.slow
	s.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return dispatch.Deferred(errSystem)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.denied {
		return dispatch.Misconfigured(errSystem)
	}
	var f *fault
	if len(s.faults) > 0 {
		f, s.faults = &s.faults[0], s.faults[1:]
	}
	if f != nil && *f == notSent {
		return dispatch.Deferred(errSystem)
	}
	ref := work()
	if f != nil {
		return dispatch.Unsure(errSystem)
	}
	return dispatch.Delivered(ref)
}

// Deliver opens the ticket's copy.
func (s *system) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	return s.do(ctx, func() dispatch.Ref {
		name := s.name + " " + p.Ticket.ID
		if s.copies[name] == nil {
			s.copies[name] = &replica{}
			s.set(name, dispatch.TicketOpen, "", s.signs)
		}
		return dispatch.Ref{ID: name}
	})
}

// Update sets the copy's status.
func (s *system) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	return s.do(ctx, func() dispatch.Ref {
		s.updates++
		if s.copies[u.Link.ExternalID].status != u.Ticket.Status {
			s.set(u.Link.ExternalID, u.Ticket.Status, "", s.signs)
		}
		return dispatch.Ref{}
	})
}

// set moves a copy and tells it.
func (s *system) set(name string, status dispatch.TicketStatus, by string, own bool) {
	r := s.copies[name]
	r.status, r.changed = status, time.Now()
	s.number++
	if s.tells {
		s.events = append(s.events, dispatch.StatusChange{
			EventID: fmt.Sprint(s.name, " event ", s.number), At: r.changed, Names: []string{name}, Status: status, By: by, Echo: own,
			TicketIDs: []string{strings.TrimPrefix(name, s.name+" ")},
		})
	}
}

// work is what a person does there.
func (s *system) work(name string, status dispatch.TicketStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.copies[name]; r != nil && r.status != status {
		s.set(name, status, "bob", false)
	}
}

// Ask tells how copies stand.
func (s *system) Ask(_ context.Context, links []dispatch.TicketLink) ([]dispatch.StatusChange, dispatch.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		return nil, dispatch.Delivered(dispatch.Ref{})
	}
	if s.denied {
		return nil, dispatch.Misconfigured(errSystem)
	}
	var out []dispatch.StatusChange
	for _, l := range links {
		if r := s.copies[l.ExternalID]; r != nil {
			out = append(out, dispatch.StatusChange{Names: []string{l.ExternalID}, Status: r.status, Level: true, AskedAt: time.Now()})
		}
	}
	return out, dispatch.Delivered(dispatch.Ref{})
}

// Receive takes one event, whose place in events is the body.
func (s *system) Receive(_ context.Context, r dispatch.Inbound) ([]dispatch.StatusChange, dispatch.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var i int
	if _, err := fmt.Sscan(string(r.Body), &i); err != nil {
		return nil, dispatch.Reply{Status: 400}
	}
	return []dispatch.StatusChange{s.events[i]}, dispatch.Reply{}
}

func (s *system) status(name string) dispatch.TicketStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.copies[name] == nil {
		return ""
	}
	return s.copies[name].status
}

// told is how many events there are.
func (s *system) told() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

func (s *system) updated() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updates
}

// poller is a system that tells what has changed since it was asked.
type poller struct{ *system }

// Poll tells all that has changed in the last minutes.
func (p poller) Poll(_ context.Context, _ string) (dispatch.Polled, dispatch.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.denied {
		return dispatch.Polled{}, dispatch.Misconfigured(errSystem)
	}
	out := dispatch.Polled{Cursor: "now"}
	for name, r := range p.copies {
		if time.Since(r.changed) < 5*time.Minute {
			out.Changes = append(out.Changes, dispatch.StatusChange{
				Names: []string{name}, Status: r.status, At: r.changed, Level: true, AskedAt: time.Now(),
			})
		}
	}
	return out, dispatch.Delivered(dispatch.Ref{})
}

func (s *system) kind() dispatch.Kind {
	k := dispatch.Kind{
		Name: s.name, Title: s.name, BuiltIn: true, Idempotent: true, DefaultName: s.name + "-Default", Mirror: s.mirror,
		Settings: &settings{}, ConfigSettings: &configSettings{Text: "x"}, PollEvery: 10 * time.Second,
		Capabilities: []dispatch.Capability{dispatch.CanDeliver, dispatch.CanUpdate},
		Patience:     dispatch.Patience{First: time.Second, Most: 10 * time.Second},
		Open: func(any, dispatch.World) (dispatch.Messenger, error) {
			if s.polled {
				return poller{s}, nil
			}
			return s, nil
		},
	}
	if s.tells {
		k.Capabilities = append(k.Capabilities, dispatch.CanReceive)
	}
	if s.polled || s.asked {
		k.Capabilities = append(k.Capabilities, dispatch.CanPoll)
	}
	return k
}

// tell hands the i-th event in, as its webhook would.
func (s *stage) tell(x *system, i int) dispatch.Reply {
	return s.desk.Receive(s.t.Context(), dispatch.BuiltInActorID(x.name), dispatch.Inbound{Body: []byte(fmt.Sprint(i))})
}
