package fake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxBody is far above what any vendor takes, so that vendors can refuse what is too large themselves.
const maxBody = 16 << 20

// Request is one HTTP request as it came.
type Request struct {
	Time   time.Time // when its body had been read
	Method string
	URL    *url.URL
	Header http.Header
	Body   []byte
}

// Server is the HTTP side of a fake: it records every request, answers by script, and where the script is silent lets the
// vendor behave. It is an http.Handler; Start or Serve gives it an address.
type Server struct {
	// Requests holds every request. A request that the vendor worked on is there only after the work is done, one
	// that is held back or torn down is there before.
	Requests Log[Request]

	// People answers what is below /_fake/, which is neither recorded nor scripted: how those who work at the vendor are
	// told what to do from outside. Nil leaves these paths to the vendor. Set it before Start or Serve.
	People http.Handler

	behave http.Handler
	script Script[Step]
	gate   Gate
	http   http.Server
	url    string

	mu     sync.Mutex
	closed bool
	gone   chan struct{}
	inside sync.WaitGroup // the accept loop, connections and requests
}

// NewServer makes a server for a vendor whose behavior is given.
func NewServer(behave http.Handler) *Server {
	s := &Server{behave: behave, gone: make(chan struct{})}
	s.http = http.Server{Handler: s, ConnState: s.count, ReadHeaderTimeout: time.Minute}
	return s
}

// Start listens on a TCP address, such as 127.0.0.1:0, and serves until Close.
func (s *Server) Start(addr string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("start fake: %w", err)
	}
	s.Serve(l)
	return nil
}

// Serve serves a listener, for example a Pipe, until Close. It returns at once; call it once.
func (s *Server) Serve(l net.Listener) {
	s.url = "http://" + l.Addr().String()
	s.inside.Go(func() { _ = s.http.Serve(l) }) // it always ends with ErrServerClosed or the listener's end
}

// URL is the base address, without a slash at the end; empty before Start or Serve.
func (s *Server) URL() string { return s.url }

// Play appends steps to the script; a step is used up by the first requests that match its path.
func (s *Server) Play(steps ...Step) { s.script.Play(steps...) }

// Behave drops what is left of the script.
func (s *Server) Behave() { s.script.Clear() }

// Release lets the requests go on that a script holds back now.
func (s *Server) Release() { s.gate.Release() }

// Close ends all connections, held requests included, and returns when none of its goroutines is left.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.gone)
	s.mu.Unlock()
	err := s.http.Close()
	s.inside.Wait()
	return err
}

// enter counts a request in; it refuses when the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.inside.Add(1)
	}
	return !s.closed
}

// count keeps track of connections. One that slipped in during Close is closed here, as net/http would leave it open.
func (s *Server) count(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.inside.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			_ = c.Close()
		}
	case http.StateClosed, http.StateHijacked:
		s.inside.Done()
	case http.StateActive, http.StateIdle:
	}
}

// ServeHTTP records the request and plays the next step for it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, "the fake is closed", http.StatusServiceUnavailable)
		return
	}
	defer s.inside.Done()
	if s.People != nil && strings.HasPrefix(r.URL.Path, "/_fake/") {
		s.People.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request body did not arrive", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.perform(w, r, Request{Time: time.Now(), Method: r.Method, URL: r.URL, Header: r.Header.Clone(), Body: body})
}

func (s *Server) perform(w http.ResponseWriter, r *http.Request, record Request) {
	step := s.script.Take(func(p Step) bool { return p.Path == "" || p.Path == r.URL.Path })
	own := newAnswer()
	if step.behaves() {
		s.behave.ServeHTTP(own, r)
	}
	opening := s.gate.Opening()
	s.Requests.Add(record)
	if step.Hang && !s.released(r.Context(), opening) || step.Reset {
		reset(w)
		return
	}
	if step.Status != 0 {
		own = step.answer()
	} else if !step.behaves() {
		s.behave.ServeHTTP(own, r)
	}
	own.send(r.Context(), w, time.Duration(step.Drip)*time.Millisecond)
}

// released waits until the gate opens; it is false when the client or the server goes away first.
func (s *Server) released(ctx context.Context, opening <-chan struct{}) bool {
	select {
	case <-opening:
		return true
	case <-ctx.Done():
	case <-s.gone:
	}
	return false
}
