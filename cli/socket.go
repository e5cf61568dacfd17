package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// subprotocol is how a subscription is spoken:
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
const subprotocol = "graphql-transport-ws"

// The close codes that trying again does not cure.
const (
	closeBadRequest   websocket.StatusCode = 4400
	closeUnauthorized websocket.StatusCode = 4401
	closeForbidden    websocket.StatusCode = 4403
	closeSubprotocol  websocket.StatusCode = 4406
)

// A connection on which nothing comes for that long is lost; the server answers
// each ping, so something does.
const (
	pingEvery = 15 * time.Second
	silence   = 40 * time.Second
	writeTime = 10 * time.Second
)

// message is one of the protocol, in either direction.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// only is the id of the one subscription on a connection.
const only = "1"

// subscription is one connection that follows the ticket events.
type subscription struct {
	client *client
	ws     *websocket.Conn
	after  string
	take   func(payload json.RawMessage) error
}

// subscribe follows the ticket events after a cursor over one connection and
// hands each answer to take, until that fails, the connection does, or ctx
// ends. It never returns nil; an error of the server or of the way is a *fault.
func (c *client) subscribe(ctx context.Context, after string, take func(json.RawMessage) error) error {
	ws, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer ws.CloseNow() //nolint:errcheck // nothing is lost with it
	s := &subscription{client: c, ws: ws, after: after, take: take}
	ctx, stop := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() { s.ping(ctx) })
	defer pings.Wait()
	defer stop()
	return s.run(ctx)
}

// dial makes the connection; nobody has said who calls yet.
func (c *client) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, c.endpoint, &websocket.DialOptions{HTTPClient: c.http, Subprotocols: []string{subprotocol}}) //nolint:bodyclose // the library closes it
	if err != nil {
		return nil, c.handshakeFault(resp, err)
	}
	if ws.Subprotocol() != subprotocol {
		_ = ws.CloseNow() // nothing is lost with it
		return nil, c.stranger()
	}
	ws.SetReadLimit(maxAnswer)
	return ws, nil
}

// handshakeFault is why a handshake failed; resp is what was answered, if anything.
func (c *client) handshakeFault(resp *http.Response, err error) *fault {
	var way *url.Error
	switch {
	case errors.As(err, &way):
		return &fault{cure: again, text: way.Error()}
	case resp == nil:
		return &fault{cure: again, text: err.Error()}
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return c.stranger()
	}
	f := c.faultOf(resp.StatusCode, nil)
	if f == nil {
		return c.stranger()
	}
	f.after = retryAfter(resp.Header.Get("Retry-After"))
	return f
}

// run speaks the protocol from the first message on.
func (s *subscription) run(ctx context.Context) error {
	if err := s.say(ctx, message{Type: "connection_init"}, map[string]string{"authorization": "Bearer " + s.client.token}); err != nil {
		return err
	}
	for {
		m, err := s.read(ctx)
		if err == nil {
			err = s.answer(ctx, m)
		}
		if err != nil {
			return err
		}
	}
}

// answer acts on one message; an error ends the connection.
func (s *subscription) answer(ctx context.Context, m message) error {
	switch m.Type {
	case "connection_ack":
		return s.say(ctx, message{ID: only, Type: "subscribe"}, operation{Query: watchQuery, Variables: map[string]string{"after": s.after}})
	case "ping":
		return s.write(ctx, message{Type: "pong", Payload: m.Payload})
	case "pong":
		return nil
	}
	if m.ID != only {
		return s.client.stranger()
	}
	switch m.Type {
	case "next":
		return s.take(m.Payload)
	case "error":
		return s.refused(m.Payload)
	case "complete":
		return &fault{cure: again, text: "the server ended the stream"}
	}
	return s.client.stranger()
}

// refused is why the server ended the subscription.
func (s *subscription) refused(payload json.RawMessage) error {
	var errs []graphError
	if json.Unmarshal(payload, &errs) != nil || len(errs) == 0 {
		return s.client.stranger()
	}
	return s.client.faultOf(http.StatusOK, errs)
}

// read waits for a message.
func (s *subscription) read(ctx context.Context) (message, error) {
	waiting, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	_, data, err := s.ws.Read(waiting)
	switch {
	case ctx.Err() != nil:
		return message{}, ctx.Err()
	case waiting.Err() != nil:
		return message{}, &fault{cure: again, text: fmt.Sprintf("nothing came for %s", silence)}
	case err != nil:
		return message{}, s.lost(err)
	}
	var m message
	if err := json.Unmarshal(data, &m); isCut(err, data) {
		return message{}, s.lost(err)
	} else if err != nil {
		return message{}, s.client.stranger()
	}
	return m, nil
}

// isCut tells that JSON ends too early: the library takes a message for whole
// whose connection broke between two of its reads.
func isCut(err error, data []byte) bool {
	var wrong *json.SyntaxError
	return errors.As(err, &wrong) && wrong.Offset == int64(len(data))
}

// lost is why the connection ended, by its close code if it has one.
func (s *subscription) lost(err error) *fault {
	var end websocket.CloseError
	if !errors.As(err, &end) {
		return &fault{cure: again, text: "the connection broke off: " + err.Error()}
	}
	text := strings.TrimSpace(fmt.Sprintf("the server closed the connection: %d %s", end.Code, end.Reason))
	switch end.Code {
	case closeForbidden, closeUnauthorized:
		return s.client.unknownCaller()
	case closeBadRequest, closeSubprotocol:
		return &fault{text: text + "; use the tocsin of the server's version"}
	default:
		return &fault{cure: again, text: text}
	}
}

// say sends a message that has a payload of ours.
func (s *subscription) say(ctx context.Context, m message, payload any) error {
	text, err := encode(payload)
	if err != nil {
		return err
	}
	m.Payload = text
	return s.write(ctx, m)
}

// write sends a message; it gives a server that does not read writeTime.
func (s *subscription) write(ctx context.Context, m message) error {
	text, err := encode(m)
	if err != nil {
		return err
	}
	sending, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	err = s.ws.Write(sending, websocket.MessageText, text)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return s.lost(err)
	}
	return nil
}

// ping keeps the connection from falling silent until ctx ends. A connection
// that does not take a ping is closed by the attempt, which the reader sees.
func (s *subscription) ping(ctx context.Context) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if s.write(ctx, message{Type: "ping"}) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
