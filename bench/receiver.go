package main

import (
	"bufio"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// receiver takes webhooks. It reads and answers with the least of HTTP/1.1, since
// it shares the cores with what is measured.
type receiver struct {
	url      string
	taken    atomic.Int64
	size     atomic.Int64 // of the last message
	listener net.Listener
	calls    sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	first map[string]time.Time // when the head of each message was there first, by its id
}

func newReceiver(ctx context.Context) (*receiver, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + l.Addr().String() + "/", listener: l, conns: map[net.Conn]bool{}}
	r.calls.Go(r.accept)
	return r, nil
}

func (r *receiver) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns[conn] = true
		r.mu.Unlock()
		r.calls.Go(func() { r.serve(conn) })
	}
}

// serve takes messages until the connection ends. One that it cannot read ends
// the connection, too: its sender then comes again, and never settles it.
func (r *receiver) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 8<<10)
	for {
		h, err := readHead(in)
		if err != nil || h.chunked {
			return
		}
		r.note(h.id)
		if _, err := in.Discard(h.length); err != nil {
			return
		}
		r.size.Store(int64(h.length))
		r.taken.Add(1)
		if _, err := conn.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n")); err != nil {
			return
		}
	}
}

// note keeps the moment of a message, where somebody asked for that.
func (r *receiver) note(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		return
	}
	if _, again := r.first[id]; !again {
		r.first[id] = time.Now()
	}
}

// keepMoments begins to keep the moment of each message.
func (r *receiver) keepMoments() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first = map[string]time.Time{}
}

// moments are those of all messages since.
func (r *receiver) moments() map[string]time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.first
	r.first = nil
	return kept
}

func (r *receiver) close() {
	_ = r.listener.Close() // the run is over
	r.mu.Lock()
	for conn := range r.conns {
		_ = conn.Close() // as above
	}
	r.mu.Unlock()
	r.calls.Wait()
}
