package graph

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"tocsin/dispatch"
)

// chorus has subscriptions that ask the same, with the same scopes, executed
// once for all: each answer is written once, and its bytes go to everyone. A
// member executes for itself until it has come to an answer that the chorus has
// sung, too, and again when it fell behind; so it misses and repeats nothing.
// The zero value is ready.
type chorus struct {
	mu    sync.Mutex
	parts map[string]*part
}

// part is one execution and those who hear it.
type part struct {
	c   *chorus
	key string

	mu      sync.Mutex
	seats   map[*seat]struct{}
	leading bool
	ended   bool // the execution is over: who sits here goes on alone
	cancel  context.CancelFunc
}

// song is one answer and its place in the ledger.
type song struct {
	place string
	data  []byte
}

// seatQueue is how many songs wait for a member; one that needs more reads the
// ledger by itself.
const seatQueue = 128

// seat is a member's place: what was sung since it sat down, in order and
// without a gap. While its member waits, a song goes to it directly, if it can
// take one without waiting.
type seat struct {
	more chan struct{} // holds one when something changed
	take func(song) bool

	mu      sync.Mutex
	queue   []song
	behind  bool   // the queue has a gap
	waiting bool   // the member has had all
	place   string // of the last song that was taken directly
}

// key says who asks the same: document, operation, variables but the cursor,
// scopes. It is "" for what is not shared.
func (op *operation) key(c dispatch.Caller) string {
	if len(op.context.Operation.SelectionSet) != 1 {
		return ""
	}
	field, ok := op.context.Operation.SelectionSet[0].(*ast.Field)
	if !ok || field.Name == "actorHealthChanged" { // which has no place in the ledger
		return ""
	}
	variables := op.context.Variables
	if after := field.Arguments.ForName("after"); after != nil {
		name := after.Value.Raw
		if after.Value.Kind != ast.Variable || strings.Count(op.context.RawQuery, "$"+name) != 2 {
			return "" // each names its own cursor in the document
		}
		variables = make(map[string]any, len(op.context.Variables))
		for other, value := range op.context.Variables {
			if other != name {
				variables[other] = value
			}
		}
	}
	given, err := json.Marshal(variables)
	if err != nil {
		return ""
	}
	scopes := slices.Sorted(slices.Values(c.Scopes))
	all, err := json.Marshal([]any{scopes, op.context.OperationName, string(given), op.context.RawQuery})
	if err != nil {
		return ""
	}
	return string(all)
}

// join takes a seat. The second who asks the same has the chorus begin.
func (c *chorus) join(ctx context.Context, key string, op *operation, take func(song) bool) (*seat, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.parts[key]
	if p == nil {
		p = &part{c: c, key: key, seats: map[*seat]struct{}{}}
		if c.parts == nil {
			c.parts = map[string]*part{}
		}
		c.parts[key] = p
	}
	s := &seat{more: make(chan struct{}, 1), take: take}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seats[s] = struct{}{}
	if len(p.seats) > 1 && !p.leading {
		p.lead(ctx, op)
	}
	return s, func() { p.leave(s) }
}

// leave gives a seat up; the last one ends the execution.
func (p *part) leave(s *seat) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.seats, s)
	if len(p.seats) > 0 {
		return
	}
	if p.c.parts[p.key] == p {
		delete(p.c.parts, p.key)
	}
	if p.cancel != nil {
		p.cancel()
	}
}

// lead begins the execution at the head of the ledger, with the rights of who
// asked. It outlives that member, and is counted among what a drain waits for.
func (p *part) lead(member context.Context, of *operation) {
	leave, ok := of.s.enter()
	if !ok {
		return
	}
	ctx, cancel, stop := until(context.WithoutCancel(member), of.s.soft)
	p.leading, p.cancel = true, func() { cancel(nil) }
	go func() { // ends with the last member, or with the server, which waits for it
		defer leave()
		defer stop()
		defer p.end()
		head, err := of.s.desk.LedgerHead(ctx)
		if err != nil {
			return
		}
		op := of.s.prepare(ctx, of.params())
		if op.refused == nil {
			_ = op.alone(ctx, dispatch.LedgerCursor(head), p.sing) // who sits here finds out alone why it ended
		}
	}()
}

// sing hands an answer to everyone.
func (p *part) sing(one song) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.seats {
		s.hear(one)
	}
	return true
}

// end lets everyone go on alone.
func (p *part) end() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.c.parts[p.key] == p {
		delete(p.c.parts, p.key)
	}
	for s := range p.seats {
		s.lose()
	}
}

func (s *seat) hear(one song) {
	s.mu.Lock()
	if s.waiting && len(s.queue) == 0 && !s.behind && s.take(one) {
		s.place = one.place
		s.mu.Unlock()
		return
	}
	if len(s.queue) == seatQueue {
		s.queue, s.behind = nil, true
	}
	s.queue = append(s.queue, one)
	s.mu.Unlock()
	s.wake()
}

func (s *seat) lose() {
	s.mu.Lock()
	s.queue, s.behind = nil, true
	s.mu.Unlock()
	s.wake()
}

func (s *seat) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// meets tells whether the chorus has sung the answer of that place; then all
// that is after it is in the queue, or will be.
func (s *seat) meets(place string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.queue, func(one song) bool { return one.place == place })
	if i < 0 {
		return false
	}
	s.queue, s.behind = s.queue[i+1:], false
	return true
}

// next is what was sung meanwhile and not taken; it waits for more. It says no
// when there is a gap, or ctx has ended.
func (s *seat) next(ctx context.Context) ([]song, bool) {
	defer s.rise()
	for {
		s.mu.Lock()
		songs, behind := s.queue, s.behind
		s.queue = nil
		s.waiting = len(songs) == 0 && !behind
		s.mu.Unlock()
		if behind {
			return nil, false
		}
		if len(songs) > 0 {
			return songs, true
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// rise ends the member's waiting.
func (s *seat) rise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = false
}

// taken is the place of the last song that went to the member directly, "" when
// none did since it was asked.
func (s *seat) taken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.place
	s.place = ""
	return place
}

// params are what the operation was made of, for another one like it.
func (op *operation) params() *graphql.RawParams {
	return &graphql.RawParams{
		Query: op.context.RawQuery, OperationName: op.context.OperationName, Variables: op.given,
		ReadTime: graphql.TraceTiming{Start: op.began, End: op.began},
	}
}
