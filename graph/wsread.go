package graph

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
)

// read takes messages until the connection ends or the other side breaks the
// protocol, which is told by the close code.
func (c *socket) read() {
	for {
		kind, data, err := c.ws.Read(c.ctx)
		if err != nil {
			return
		}
		select {
		case c.heard <- struct{}{}:
		default:
		}
		if kind != websocket.MessageText {
			c.send(frame{code: closeBadRequest, reason: "Messages are texts"})
			return
		}
		message, err := readJSON(data)
		if err != nil {
			c.send(frame{code: closeBadRequest, reason: "The message " + err.Error()})
			return
		}
		if end := c.take(message); end.code != 0 {
			c.send(end)
			return
		}
	}
}

// take acts on one message; a frame with a code ends the connection.
func (c *socket) take(message map[string]any) frame {
	switch message["type"] {
	case "connection_init":
		return c.init(message)
	case "ping":
		c.send(c.pong(message))
	case "pong":
	case "subscribe":
		return c.subscribe(message)
	case "complete":
		id, ok := message["id"].(string)
		if !ok {
			return frame{code: closeBadRequest, reason: "complete needs an id"}
		}
		c.complete(id)
	default:
		return frame{code: closeBadRequest, reason: "Unknown message type"}
	}
	return frame{}
}

func (c *socket) pong(ping map[string]any) frame {
	payload, err := json.Marshal(ping["payload"])
	if err != nil || ping["payload"] == nil { // what came from JSON goes there again
		payload = nil
	}
	return message("", "pong", payload)
}

// init learns who speaks: from the payload, or from the handshake's header.
func (c *socket) init(message map[string]any) frame {
	select {
	case <-c.initialised:
		return frame{code: closeInitTwice, reason: "Too many initialisation requests"}
	default:
	}
	token := c.header
	payload, isObject := message["payload"].(map[string]any)
	if !isObject && message["payload"] != nil {
		return frame{code: closeBadRequest, reason: "The payload of connection_init is not an object"}
	}
	for name, value := range payload {
		if text, ok := value.(string); ok && strings.EqualFold(name, "authorization") {
			token = bearer(text)
		}
	}
	caller, err := c.s.desk.Authenticate(c.ctx, token)
	switch {
	case errors.Is(err, dispatch.ErrUnauthenticated):
		return frame{code: closeForbidden, reason: "Forbidden"}
	case err != nil:
		_ = c.s.present(c.ctx, err) // to the log
		return frame{code: websocket.StatusInternalError, reason: "The token cannot be checked now"}
	}
	c.caller = caller
	c.release = c.s.vigil.watch(token, c.revoked)
	close(c.initialised)
	c.send(frame{data: []byte(`{"type":"connection_ack"}`)})
	return frame{}
}

// revoked closes the connection without waiting for anybody.
func (c *socket) revoked(error) {
	select {
	case c.out <- frame{code: closeForbidden, reason: "Forbidden"}:
	default:
		c.cancel(dispatch.ErrUnauthenticated) // who does not read hears no reason
	}
}

// subscribe starts an operation.
func (c *socket) subscribe(m map[string]any) frame {
	select {
	case <-c.initialised:
	default:
		return frame{code: closeUnauthorized, reason: "Unauthorized"}
	}
	id, ok := m["id"].(string)
	if !ok || id == "" {
		return frame{code: closeBadRequest, reason: "subscribe needs an id"}
	}
	payload, ok := m["payload"].(map[string]any)
	if !ok {
		return frame{code: closeBadRequest, reason: "subscribe needs a payload"}
	}
	params, err := paramsOf(payload)
	if err != nil {
		return frame{code: closeBadRequest, reason: dispatch.Cut("subscribe: "+err.Error(), 120)}
	}
	return c.start(id, params)
}

func (c *socket) start(id string, params *graphql.RawParams) frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.running[id]; twice {
		return frame{code: closeTwice, reason: "Subscriber for " + dispatch.Cut(id, 60) + " already exists"}
	}
	if c.stopping {
		return frame{}
	}
	if len(c.running) == maxRunning {
		full := refuse(gen.ErrorCodeRateLimited, "%d operations run on this connection already; complete one first", maxRunning)
		c.send(message(id, "error", errorsJSON(gqlerror.List{full})))
		return frame{}
	}
	op := c.newOp(id)
	c.running[id] = op
	c.ops.Go(func() { op.run(params) })
	return frame{}
}

// complete ends an operation at the other side's wish: nothing of it is sent
// any more, and its id is free.
func (c *socket) complete(id string) {
	c.mu.Lock()
	op := c.running[id]
	delete(c.running, id)
	c.mu.Unlock()
	if op != nil {
		op.silence()
	}
}
