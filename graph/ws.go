package graph

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"tocsin/dispatch"
)

// subprotocol is the one way to speak here:
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
const subprotocol = "graphql-transport-ws"

// The close codes of the protocol.
const (
	closeBadRequest   websocket.StatusCode = 4400
	closeUnauthorized websocket.StatusCode = 4401
	closeForbidden    websocket.StatusCode = 4403
	closeSubprotocol  websocket.StatusCode = 4406
	closeTimeout      websocket.StatusCode = 4408
	closeTwice        websocket.StatusCode = 4409
	closeInitTwice    websocket.StatusCode = 4429
)

const (
	initTime    = 3 * time.Second
	pingEvery   = 15 * time.Second
	socketQueue = 64 // messages that wait for a slow reader
)

// socket is one WebSocket. The handler's goroutine reads, one writes, one
// watches the time, and each operation has one.
type socket struct {
	s      *Server
	ws     *websocket.Conn
	conn   net.Conn        // the same, for writing
	header string          // the token of the handshake's header, if any
	ctx    context.Context //nolint:containedctx // of this connection
	cancel context.CancelCauseFunc
	out    chan frame

	initialised chan struct{} // closed by the acknowledgement
	heard       chan struct{} // holds one when something was read
	caller      dispatch.Caller
	release     func() // of the vigil over the token

	mu       sync.Mutex
	running  map[string]*socketOp
	stopping bool // no operation begins any more
	ops      sync.WaitGroup
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	offered := strings.Split(strings.Join(r.Header.Values("Sec-WebSocket-Protocol"), ","), ",")
	open := &opening{ResponseWriter: w}
	ws, err := websocket.Accept(open, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, OriginPatterns: s.o.AllowOrigins,
	})
	if err != nil {
		return // Accept has answered
	}
	if !slices.ContainsFunc(offered, func(p string) bool { return strings.TrimSpace(p) == subprotocol }) {
		_ = ws.Close(closeSubprotocol, "Subprotocol not acceptable")
		return
	}
	ws.SetReadLimit(maxBody)
	// The request's context does not outlive the hijacking in a way to rely on.
	ctx, cancel, stop := until(context.WithoutCancel(r.Context()), s.hard)
	defer stop()
	c := &socket{
		s: s, ws: ws, conn: open.conn, header: bearerOf(r), ctx: ctx, cancel: cancel, out: make(chan frame, socketQueue),
		initialised: make(chan struct{}), heard: make(chan struct{}, 1), release: func() {}, running: map[string]*socketOp{},
	}
	c.serve()
}

// serve runs until the connection is closed, from either side.
func (c *socket) serve() {
	var writer, watcher sync.WaitGroup
	writer.Go(c.write)
	watcher.Go(c.watch)
	c.read()
	c.cancel(nil)
	c.ops.Wait()
	watcher.Wait()
	c.release()
	close(c.out)
	writer.Wait()
}

// stop lets no operation begin and waits for those that run.
func (c *socket) stop() {
	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	c.ops.Wait()
}

// send leaves a frame for the writer; it waits for a slow reader, whom the
// writer in turn gives writeTime.
func (c *socket) send(f frame) bool {
	select {
	case c.out <- f:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// watch ends the connection when the time for its initialisation is over, when
// the other side is silent, when the token ends, and when the server does.
func (c *socket) watch() {
	late := time.NewTimer(initTime)
	defer late.Stop()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	initialised, answered := c.initialised, true
	for {
		select {
		case <-initialised:
			late.Stop()
			initialised = nil
		case <-late.C:
			c.send(frame{code: closeTimeout, reason: "Connection initialisation timeout"})
			return
		case <-c.heard:
			answered = true
		case <-ping.C:
			if !answered {
				c.send(frame{code: websocket.StatusGoingAway, reason: "No answer to a ping"})
				return
			}
			answered = false
			c.send(frame{data: []byte(`{"type":"ping"}`)})
		case <-c.s.soft.Done():
			c.stop() // streams complete by the same signal
			c.send(frame{code: websocket.StatusGoingAway, reason: "Server is stopping"})
			return
		case <-c.ctx.Done():
			return
		}
	}
}
