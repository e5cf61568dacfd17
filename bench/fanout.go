package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// fanoutBench shows each event to many subscribers; the next event comes when
// all have the last one.
type fanoutBench struct {
	rounds
	Subscribers int `help:"Subscribers at once." default:"1000"`
}

const fanoutSubscription = `subscription { ticketStatusChanged { cursor kind at status statusBefore ticketVersion } }`

// Run compares with a server that writes bytes that are ready.
func (b *fanoutBench) Run(ctx context.Context) error {
	return inFolder(func(dir string) error {
		h, err := open(ctx, dir)
		if err != nil {
			return err
		}
		if _, err := h.configure(ctx, "http://127.0.0.1:9/", 1); err != nil {
			return err
		}
		var data struct{ RaiseAlert struct{ TicketID string } }
		if err := h.ask(ctx, raiseMutation, map[string]any{"in": alert("one", 0)}, &data); err != nil {
			return err
		}
		limit, err := start(ctx, "/healthz", func(addr string) []string { return []string{"limit-fanout", "--listen", addr} })
		if err != nil {
			return err
		}
		acknowledge := moveOf("acknowledgeTickets", data.RaiseAlert.TicketID)
		reopen := moveOf("reopenTickets", data.RaiseAlert.TicketID)
		ready := bytes.Repeat([]byte("x"), 220)
		err = b.turns(fmt.Sprintf("messages to %d subscribers", b.Subscribers), func() (figures, error) {
			return b.turn(ctx, h.process, "/graphql", h.token, func(n int) error {
				text := acknowledge
				if n%2 == 1 {
					text = reopen
				}
				_, err := post(ctx, h.url(), h.token, text, `"userErrors":[]`)
				return err
			})
		}, func() (figures, error) {
			return b.turn(ctx, limit, "/subscribe", "", func(int) error {
				_, err := post(ctx, "http://"+limit.addr+"/publish", "", ready, "")
				return err
			})
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "resident memory with the subscribers gone: %.0f MiB\n", h.resident())
		if err := limit.stop(); err != nil {
			return err
		}
		return h.stop()
	})
}

func moveOf(mutation, ticket string) []byte {
	return body(fmt.Sprintf(`mutation($id: ID!) { %s(input: {tickets: [{id: $id}]}) { userErrors { message } } }`, mutation), map[string]any{"id": ticket})
}

// turn connects the subscribers and publishes until the time is over. What is
// measured is each message's way from the publication to its reader.
func (b *fanoutBench) turn(ctx context.Context, p *process, path, token string, publish func(n int) error) (figures, error) {
	crowd, err := b.connect(ctx, p, path, token)
	if err != nil {
		return figures{}, err
	}
	defer crowd.leave()
	if err := crowd.settle(publish); err != nil {
		return figures{}, err
	}
	var f figures
	began, before := time.Now(), p.cpu()
	for n := 2; time.Since(began) < b.Duration; n++ {
		times, err := crowd.hear(n, publish)
		if err != nil {
			return f, err
		}
		f.times = append(f.times, times...)
	}
	f.took, f.cpu, f.done = time.Since(began), p.cpu()-before, len(f.times)
	slices.Sort(f.times)
	return f, nil
}

// crowd are the subscribers of a turn.
type crowd struct {
	wires   []*wire
	reading sync.WaitGroup
	heard   chan time.Time // when a message was read
	failed  chan error
}

func (b *fanoutBench) connect(ctx context.Context, p *process, path, token string) (*crowd, error) {
	c := &crowd{heard: make(chan time.Time, b.Subscribers), failed: make(chan error, b.Subscribers)}
	for range b.Subscribers {
		w, err := dialWire(ctx, p.addr, path)
		if err != nil {
			return nil, err
		}
		c.wires = append(c.wires, w)
		if token == "" {
			continue
		}
		if err := w.write(`{"type":"connection_init","payload":{"authorization":"Bearer ` + token + `"}}`); err != nil {
			return nil, err
		}
		if ack, err := w.read(); err != nil || !bytes.Contains(ack, []byte("connection_ack")) {
			return nil, fmt.Errorf("the init was answered with %s, %w", ack, err)
		}
		if err := w.write(`{"id":"1","type":"subscribe","payload":{"query":"` + fanoutSubscription + `"}}`); err != nil {
			return nil, err
		}
	}
	for _, w := range c.wires {
		c.reading.Go(func() { c.read(w) })
	}
	return c, nil
}

func (c *crowd) read(w *wire) {
	for {
		message, err := w.read()
		if err != nil {
			c.failed <- err
			return
		}
		if !bytes.Contains(message, []byte(`"type":"ping"`)) {
			c.heard <- time.Now()
		}
	}
}

// settleTime is how long the subscriptions may take to begin.
const settleTime = 10 * time.Second

// settle publishes until every subscriber has begun to hear.
func (c *crowd) settle(publish func(n int) error) error {
	for end, n := time.Now().Add(settleTime), 0; time.Now().Before(end); n++ {
		if err := publish(n); err != nil {
			return err
		}
		heard := 0
		for quiet := time.After(500 * time.Millisecond); quiet != nil && heard < len(c.wires); {
			select {
			case <-c.heard:
				heard++
			case err := <-c.failed:
				return err
			case <-quiet:
				quiet = nil
			}
		}
		if heard == len(c.wires) && n%2 == 1 {
			return nil
		}
	}
	return errors.New("not all subscribers hear")
}

// hear publishes once and waits until all have heard.
func (c *crowd) hear(n int, publish func(n int) error) ([]time.Duration, error) {
	began := time.Now()
	if err := publish(n); err != nil {
		return nil, err
	}
	times := make([]time.Duration, 0, len(c.wires))
	late := time.NewTimer(settleTime)
	defer late.Stop()
	for len(times) < len(c.wires) {
		select {
		case at := <-c.heard:
			times = append(times, at.Sub(began))
		case err := <-c.failed:
			return nil, err
		case <-late.C:
			return nil, fmt.Errorf("%d of %d subscribers heard event %d", len(times), len(c.wires), n)
		}
	}
	return times, nil
}

func (c *crowd) leave() {
	for _, w := range c.wires {
		_ = w.Close() // ends its reader
	}
	c.reading.Wait()
}

// limitFanout writes each published text, as one ready frame, to all sockets.
type limitFanout struct{ Listen string }

// Run serves until the process is ended.
func (l *limitFanout) Run() error {
	var mu sync.Mutex
	var sockets []net.Conn
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /subscribe", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
		mu.Lock()
		defer mu.Unlock()
		sockets = append(sockets, conn)
	})
	mux.HandleFunc("POST /publish", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		frame := frameOf(text)
		mu.Lock()
		defer mu.Unlock()
		sockets = slices.DeleteFunc(sockets, func(c net.Conn) bool {
			_, err := c.Write(frame)
			return err != nil
		})
	})
	return (&http.Server{Addr: l.Listen, Handler: mux, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}
