package main

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// limitFanout writes ready bytes to all who subscribed: what has gathered while
// it wrote leaves in one write for each of them.
type limitFanout struct{ Listen string }

// shout is one transport's subscribers and what they are to hear next.
type shout struct {
	mu      sync.Mutex
	conns   []net.Conn
	waiting []byte
	more    chan struct{}
}

// Run serves until the process is ended.
func (l *limitFanout) Run() error {
	sockets, streams := newShout(), newShout()
	go sockets.write() // end with the process
	go streams.write()
	var mu sync.Mutex
	events := int64(0)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /socket", func(rw http.ResponseWriter, r *http.Request) {
		conn, err := openSocket(rw, r)
		if err != nil {
			return
		}
		if _, err := conn.Write(frameOf([]byte(`{"type":"connection_ack"}`))); err == nil {
			sockets.join(conn)
		}
	})
	mux.HandleFunc("POST /events", func(rw http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		if _, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")); err == nil {
			streams.join(conn)
		}
	})
	mux.HandleFunc("POST /publish", func(rw http.ResponseWriter, _ *http.Request) {
		mu.Lock() // so that the events arrive in their order
		defer mu.Unlock()
		events++
		cursor := cursorAt(events)
		data := fmt.Sprintf(`{"data":{"ticketStatusChanged":{"cursor":%q,"kind":"STATUS_CHANGED","at":"2026-11-25T12:00:00.123Z","status":"ACKNOWLEDGED","statusBefore":"OPEN","ticketVersion":%d}}}`, cursor, events)
		sockets.say(frameOf([]byte(`{"id":"1","type":"next","payload":` + data + `}`)))
		event := fmt.Sprintf("id: %s\nevent: next\ndata: %s\n\n", cursor, data)
		streams.say(fmt.Appendf(nil, "%x\r\n%s\r\n", len(event), event))
		fmt.Fprint(rw, `{"data":{"userErrors":[]}}`)
	})
	return (&http.Server{Addr: l.Listen, Handler: mux, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}

func newShout() *shout { return &shout{more: make(chan struct{}, 1)} }

func (s *shout) join(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, conn)
}

func (s *shout) say(text []byte) {
	s.mu.Lock()
	s.waiting = append(s.waiting, text...)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// write says to everyone what waits; who has left is dropped.
func (s *shout) write() {
	for range s.more {
		s.mu.Lock()
		text, conns := s.waiting, slices.Clone(s.conns)
		s.waiting = nil
		s.mu.Unlock()
		gone := map[net.Conn]bool{}
		for _, conn := range conns {
			if _, err := conn.Write(text); err != nil {
				_ = conn.Close() // its reader has gone
				gone[conn] = true
			}
		}
		if len(gone) > 0 {
			s.mu.Lock()
			s.conns = slices.DeleteFunc(s.conns, func(c net.Conn) bool { return gone[c] })
			s.mu.Unlock()
		}
	}
}
