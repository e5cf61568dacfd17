package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

const (
	openMethod = "apps.connections.open"
	maxSockets = 10 // of one app: docs.slack.dev, Socket Mode
)

// sockets are the app's WebSockets, and the server that they connect to.
type sockets struct {
	mu      sync.Mutex
	address string
	server  *http.Server
	made    int             // tickets and envelopes so far
	tickets map[string]bool // each good for one connection
	open    []*socket
	waiting map[string]chan struct{} // envelope id → closed when it is acknowledged
	isOff   bool                     // Socket Mode was turned off
	isMute  bool
	closed  bool
	inside  sync.WaitGroup
	life    context.Context //nolint:containedctx // it is the server's life
	end     context.CancelFunc
}

// socket is one connection. One that leaves gets no more envelopes.
type socket struct {
	conn    *websocket.Conn
	leaving bool
}

func (w *Workspace) openSocket(arguments) object {
	s := &w.sockets
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isOff || s.closed {
		return failure("forbidden_team")
	}
	if err := w.listen(); err != nil {
		return failure(err.Error())
	}
	s.made++
	ticket := "ticket-" + strconv.Itoa(s.made)
	s.tickets[ticket] = true
	return object{"ok": true, "url": "ws://" + s.address + "/link/?ticket=" + ticket + "&app_id=" + appID}
}

// listen opens the server, once.
func (w *Workspace) listen() error {
	s := &w.sockets
	if s.server != nil {
		return nil
	}
	l := w.o.Sockets
	if l == nil {
		var lc net.ListenConfig
		var err error
		if l, err = lc.Listen(s.life, "tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("open a port for WebSockets: %w", err)
		}
	}
	s.address, s.tickets, s.waiting = l.Addr().String(), map[string]bool{}, map[string]chan struct{}{}
	s.server = &http.Server{Handler: http.HandlerFunc(w.link), ReadHeaderTimeout: time.Minute}
	s.inside.Go(func() { _ = s.server.Serve(l) }) // it always ends with ErrServerClosed or the listener's end
	return nil
}

// Close ends all connections, WebSockets included, and returns when none of the fake's goroutines is left.
func (w *Workspace) Close() error {
	s := &w.sockets
	s.mu.Lock()
	s.closed = true
	server := s.server
	s.mu.Unlock()
	s.end()
	if server != nil {
		_ = server.Close()
	}
	s.inside.Wait()
	return w.Server.Close()
}

// admit counts a connection in that has a ticket.
func (s *sockets) admit(ticket string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.tickets[ticket] || len(s.open) == maxSockets {
		return false
	}
	delete(s.tickets, ticket)
	s.inside.Add(1)
	return true
}

// link is one WebSocket from its handshake to its end.
func (w *Workspace) link(rw http.ResponseWriter, r *http.Request) {
	s := &w.sockets
	ticket := r.URL.Query().Get("ticket")
	if !strings.HasPrefix(r.URL.Path, "/link/") || !s.admit(ticket) {
		http.Error(rw, "no such ticket", http.StatusForbidden)
		return
	}
	defer s.inside.Done()
	conn, err := websocket.Accept(rw, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // libraries send Slack's origin
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	one := &socket{conn: conn}
	defer s.forget(one)
	n := s.add(one)
	hello := object{
		"type": "hello", "num_connections": n, "connection_info": object{"app_id": appID},
		"debug_info": object{"host": "applink-1", "started": "2026-11-06 10:00:00.120", "build_number": 54, "approximate_connection_time": 18060},
	}
	if wsjson.Write(s.life, conn, hello) != nil {
		return
	}
	w.Links.Add(ticket)
	s.inside.Go(func() { w.ping(conn) })
	w.readAcknowledgements(conn)
}

func (s *sockets) add(one *socket) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, one)
	return len(s.open)
}

func (s *sockets) forget(one *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = slices.DeleteFunc(s.open, func(o *socket) bool { return o == one })
}

// ping ends with the connection, which it ends itself when no pong comes.
func (w *Workspace) ping(conn *websocket.Conn) {
	s := &w.sockets
	beat := time.NewTicker(w.o.PingEvery)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
		case <-s.life.Done():
			return
		}
		if !s.has(conn) {
			return
		}
		if s.mute() {
			continue
		}
		ctx, cancel := context.WithTimeout(s.life, w.o.PingEvery)
		err := conn.Ping(ctx)
		cancel()
		if err != nil {
			_ = conn.CloseNow()
			return
		}
	}
}

func (s *sockets) has(conn *websocket.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.open, func(o *socket) bool { return o.conn == conn })
}

func (s *sockets) mute() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isMute
}

func (w *Workspace) readAcknowledgements(conn *websocket.Conn) {
	s := &w.sockets
	for {
		var ack struct {
			ID string `json:"envelope_id"`
		}
		if wsjson.Read(s.life, conn, &ack) != nil {
			return
		}
		s.mu.Lock()
		if waits := s.waiting[ack.ID]; waits != nil {
			close(waits)
			delete(s.waiting, ack.ID)
		}
		s.mu.Unlock()
		w.Acknowledged.Add(ack.ID)
	}
}

// pick is a connection that takes envelopes; nil when there is none.
func (s *sockets) pick() *socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.open, func(o *socket) bool { return !o.leaving })
	if i < 0 {
		return nil
	}
	return s.open[i]
}

// send sends an envelope and waits until it is acknowledged.
func (s *sockets) send(ctx context.Context, to *socket, kind string, payload []byte) error {
	s.mu.Lock()
	s.made++
	id := fmt.Sprintf("envelope-%d", s.made)
	taken := make(chan struct{})
	s.waiting[id] = taken
	s.mu.Unlock()
	err := wsjson.Write(ctx, to.conn, object{
		"type": kind, "envelope_id": id, "accepts_response_payload": false, "payload": json.RawMessage(payload),
	})
	if err != nil {
		return fmt.Errorf("send over the WebSocket: %w", err)
	}
	select {
	case <-taken:
		return nil
	case <-ctx.Done():
		return errors.New("the app did not acknowledge the envelope in time")
	case <-s.life.Done():
		return errors.New("the workspace was closed")
	}
}

// Disconnect tells every connection to go, for a reason of Slack's: warning, refresh_requested or link_disabled. They get
// no more envelopes and stay open until the app or Drop ends them. With link_disabled Socket Mode is off from then on.
func (w *Workspace) Disconnect(ctx context.Context, reason string) error {
	s := &w.sockets
	s.mu.Lock()
	s.isOff = reason == "link_disabled"
	going := slices.Clone(s.open)
	for _, one := range going {
		one.leaving = true
	}
	s.mu.Unlock()
	for _, one := range going {
		said := object{"type": "disconnect", "reason": reason, "debug_info": object{"host": "wss-111.slack.com"}}
		if err := wsjson.Write(ctx, one.conn, said); err != nil {
			return fmt.Errorf("send a disconnect: %w", err)
		}
	}
	return nil
}

// Tell sends an event of the app, such as app_uninstalled, and waits until it is acknowledged.
func (w *Workspace) Tell(ctx context.Context, event []byte) error {
	s := w.sockets.pick()
	if s == nil {
		return errors.New("the app has no connection")
	}
	return w.sockets.send(ctx, s, "events_api", event)
}

// Drop tears every connection down.
func (w *Workspace) Drop() {
	w.sockets.mu.Lock()
	going := slices.Clone(w.sockets.open)
	w.sockets.mu.Unlock()
	for _, one := range going {
		_ = one.conn.CloseNow()
	}
}

// Mute stops the pings, as of a connection that died somewhere on the way.
func (w *Workspace) Mute() {
	w.sockets.mu.Lock()
	defer w.sockets.mu.Unlock()
	w.sockets.isMute = true
}

// Connections is how many WebSockets are open.
func (w *Workspace) Connections() int {
	w.sockets.mu.Lock()
	defer w.sockets.mu.Unlock()
	return len(w.sockets.open)
}
