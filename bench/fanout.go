package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// fanoutBench shows each event to many subscribers, in three ways: the next
// event when all have the last one; several publishers that wait for nobody; few
// events a second.
type fanoutBench struct {
	rounds
	Subscribers int           `help:"Subscribers at once." default:"1000"`
	Flood       int           `help:"Events of a flood." default:"400"`
	Calm        time.Duration `help:"How long ten events a second last." default:"5s"`
}

const fanoutSubscription = `subscription { ticketStatusChanged { cursor kind at status statusBefore ticketVersion } }`

// publishers are those of a flood, each with a ticket of its own.
const publishers = 4

// Run compares with a server that writes bytes that are ready.
func (b *fanoutBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *fanoutBench) measure(ctx context.Context, t *table) error {
	return inFolder(func(dir string) error {
		ours, err := openFanout(ctx, filepath.Join(dir, "server"))
		if err != nil {
			return err
		}
		limit, err := openFanoutLimit(ctx)
		if err != nil {
			return err
		}
		for _, by := range []transport{overSocket, overEvents} {
			if err := b.weigh(ctx, t, by, ours, limit); err != nil {
				return err
			}
		}
		if err := limit.stop(); err != nil {
			return err
		}
		return ours.stop()
	})
}

func (b *fanoutBench) weigh(ctx context.Context, t *table, by transport, ours, limit *stage) error {
	name := fmt.Sprintf("%s over %s", counted(b.Subscribers, "subscriber"), by.name)
	for _, way := range []struct {
		name  string
		play  func(*crowd, *stage) (figures, error)
		goals []goal
	}{
		{name + ", next event when all have it", b.wait, []goal{perSecond(90_000), p99(20)}},
		{name + ", flood", b.flood, []goal{perSecond(200_000)}},
		{name + calmName, b.calm, []goal{p50(10), p99(25)}},
	} {
		side := func(s *stage) func() (figures, error) {
			return func() (figures, error) { return b.turn(ctx, by, s, way.play) }
		}
		r, err := b.compare(way.name, side(ours), side(limit))
		if err != nil {
			return err
		}
		if strings.HasSuffix(r.Path, calmName) {
			r.Ratio = ratio{} // both have the rate that they are given
		}
		t.add(r.judge(way.goals...))
	}
	return nil
}

const calmName = ", 10 events a second"

// turn connects the subscribers, plays, and sees that all was heard.
func (b *fanoutBench) turn(ctx context.Context, by transport, s *stage, play func(*crowd, *stage) (figures, error)) (figures, error) {
	disconnect, err := s.connect(ctx)
	if err != nil {
		return figures{}, err
	}
	defer disconnect()
	c, err := gather(ctx, by, s.to(by), b.Subscribers)
	if err != nil {
		return figures{}, err
	}
	defer c.leave()
	c.published = make([]atomic.Int64, maxStamped)
	if err := c.settle(func() error { return s.publish(0) }); err != nil {
		return figures{}, err
	}
	before := s.cpu()
	f, err := play(c, s)
	if err != nil {
		return f, err
	}
	f.cpu = s.cpu() - before
	if err := c.whole(f.done); err != nil {
		return f, err
	}
	f.times, f.done = c.times(), f.done*b.Subscribers
	return f, nil
}

// maxStamped is how many events of a turn may have a moment of publication.
const maxStamped = 1 << 16

// wait publishes the next event when all have the last one.
func (b *fanoutBench) wait(c *crowd, s *stage) (figures, error) {
	began := time.Now()
	n := 0
	for ; time.Since(began) < b.Duration && n < maxStamped; n++ {
		c.expect(1)
		c.stamp(n)
		if err := s.publish(0); err != nil {
			return figures{}, err
		}
		if err := c.await(); err != nil {
			return figures{}, err
		}
	}
	return figures{took: time.Since(began), done: n}, nil
}

// flood has several publish at once, each as soon as its last event is
// committed. The events have no moments: their order is not known before.
func (b *fanoutBench) flood(c *crowd, s *stage) (figures, error) {
	c.expect(b.Flood / publishers * publishers)
	began := time.Now()
	var all sync.WaitGroup
	errs := make(chan error, publishers)
	for p := range publishers {
		all.Go(func() {
			for range b.Flood / publishers {
				if err := s.publish(p); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return figures{}, err
	default:
	}
	if err := c.await(); err != nil {
		return figures{}, err
	}
	return figures{took: time.Since(began), done: b.Flood / publishers * publishers}, nil
}

// calm publishes ten events a second, when they are due.
func (b *fanoutBench) calm(c *crowd, s *stage) (figures, error) {
	events := int(10 * b.Calm.Seconds())
	c.expect(events)
	beat := time.NewTicker(time.Second / 10)
	defer beat.Stop()
	began := time.Now()
	for n := range events {
		<-beat.C
		c.stamp(n)
		if err := s.publish(0); err != nil {
			return figures{}, err
		}
	}
	if err := c.await(); err != nil {
		return figures{}, err
	}
	return figures{took: time.Since(began), done: events}, nil
}

// stage is a server that shows events, and the publishers that have them come about.
type stage struct {
	target     // of the publishers
	publishers []publisher
	path       func(transport) string // of the subscribers
}

// publisher has one event after the other come about. Its connection is made for
// a turn: a server closes one that is silent for long.
type publisher struct {
	*caller
	texts [][]byte // in turn
	said  int
}

func (s *stage) to(by transport) target { return target{s.process, s.path(by), s.token} }

// connect makes the publishers' connections; the function closes them.
func (s *stage) connect(ctx context.Context) (func(), error) {
	for i := range s.publishers {
		c, err := dial(ctx, s.addr, s.target.path, s.token)
		if err != nil {
			s.closeFirst(i)
			return nil, err
		}
		s.publishers[i].caller = c
	}
	return func() { s.closeFirst(len(s.publishers)) }, nil
}

func (s *stage) closeFirst(n int) {
	for _, p := range s.publishers[:n] {
		p.close()
	}
}

// publish has the next event of a publisher come about.
func (s *stage) publish(n int) error {
	p := &s.publishers[n]
	text := p.texts[p.said%len(p.texts)]
	p.said++
	if _, err := p.post(text, `"userErrors":[]`); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// openFanout is our server with a ticket for each publisher. Its actor is
// disabled, so that no delivery goes on meanwhile.
func openFanout(ctx context.Context, dir string) (*stage, error) {
	h, err := openHeld(ctx, dir, 1)
	if err != nil {
		return nil, err
	}
	s := &stage{
		target: target{h.process, "/graphql", h.token}, publishers: make([]publisher, publishers),
		path: func(transport) string { return "/graphql" },
	}
	for p := range s.publishers {
		var data struct{ RaiseAlert struct{ TicketID string } }
		if err := h.ask(ctx, raiseMutation, map[string]any{"in": alert("fanout", p)}, &data); err != nil {
			return nil, err
		}
		s.publishers[p].texts = [][]byte{moveOf("acknowledgeTickets", data.RaiseAlert.TicketID), moveOf("reopenTickets", data.RaiseAlert.TicketID)}
	}
	return s, nil
}

func moveOf(mutation, ticket string) []byte {
	return body(fmt.Sprintf(`mutation($id: ID!) { %s(input: {tickets: [{id: $id}]}) { userErrors { message } } }`, mutation), map[string]any{"id": ticket})
}

// openFanoutLimit is the limit's stage.
func openFanoutLimit(ctx context.Context) (*stage, error) {
	limit, err := start(ctx, "/healthz", func(addr string) []string { return []string{"limit-fanout", "--listen", addr} })
	if err != nil {
		return nil, err
	}
	s := &stage{
		target: target{limit, "/publish", ""}, publishers: make([]publisher, publishers),
		path: func(by transport) string { return by.path },
	}
	for p := range s.publishers {
		s.publishers[p].texts = [][]byte{[]byte("{}")}
	}
	return s, nil
}
