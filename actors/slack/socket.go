package slack

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Slack pings often; a connection that says nothing for so long is dead. One
// that is to be replaced may still bring what was sent to it.
const (
	quiet       = time.Minute
	linger      = 30 * time.Second
	dialTime    = 15 * time.Second
	ackTime     = 10 * time.Second
	takeTime    = 5 * time.Second
	maxEnvelope = 1 << 20
)

// connection is one WebSocket. Its goroutine is serve's.
type connection struct {
	socket *websocket.Conn
	silent *time.Timer
	heard  context.Context //nolint:containedctx // it is the connection's life: it ends with a silence that is too long
	end    context.CancelFunc
}

// envelope is what comes over the connection.
type envelope struct {
	Type    string          `json:"type"`
	ID      string          `json:"envelope_id"`
	Reason  string          `json:"reason"` // of a disconnect
	Payload json.RawMessage `json:"payload"`
}

// connect makes a connection; nil with an outcome that says why there is none.
// It goes through the guarded dialer, with a transport of its own, since the
// guarded client's answers can only be read.
func (m *messenger) connect(ctx context.Context) (*connection, dispatch.Outcome) {
	address, out := m.address(ctx)
	if address == "" {
		return nil, out
	}
	transport := &http.Transport{DialContext: m.world.Dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	heard, end := context.WithCancel(context.WithoutCancel(ctx))
	c := &connection{heard: heard, end: end, silent: time.AfterFunc(quiet, end)}
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	socket, _, err := websocket.Dial(dialing, address, &websocket.DialOptions{ //nolint:bodyclose // the library says that it needs no closing
		HTTPClient:     &http.Client{Transport: transport},
		OnPingReceived: func(context.Context, []byte) bool { c.silent.Reset(quiet); return true },
	})
	if err != nil {
		c.silent.Stop()
		end()
		return nil, call.Unreached(host(address), m.mask, err)
	}
	socket.SetReadLimit(maxEnvelope)
	c.socket = socket
	return c, out
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the address that Slack gave"
	}
	return u.Host
}

// serve reads until the connection ends, and says as soon as it knows that
// another one is needed.
func (c *connection) serve(ctx context.Context, handle func(context.Context, envelope) bool, leave func(ending)) {
	defer func() { _ = c.socket.CloseNow() }()
	defer c.end()
	defer c.silent.Stop()
	defer context.AfterFunc(ctx, c.end)()
	for {
		_, text, err := c.socket.Read(c.heard)
		if err != nil {
			leave(ending{outcome: c.lost(ctx, err)})
			return
		}
		c.silent.Reset(quiet)
		var e envelope
		if json.Unmarshal(text, &e) != nil {
			continue
		}
		if e.Type == "disconnect" {
			last := farewell(e.Reason)
			leave(last)
			if !last.isRefresh {
				return
			}
			time.AfterFunc(linger, c.end) // to end what has ended does no harm
			continue
		}
		if handle(ctx, e) && e.ID != "" && c.acknowledge(e.ID) != nil {
			leave(ending{outcome: dispatch.Deferred(errors.New("slack: the connection was lost"))})
			return
		}
	}
}

// acknowledge says that what an envelope holds is in the books.
func (c *connection) acknowledge(id string) error {
	text, err := json.Marshal(map[string]string{"envelope_id": id})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.heard, ackTime)
	defer cancel()
	return c.socket.Write(ctx, websocket.MessageText, text)
}

func (c *connection) lost(ctx context.Context, err error) dispatch.Outcome {
	switch {
	case ctx.Err() != nil:
		return dispatch.Deferred(errors.New("slack: the listening was ended"))
	case c.heard.Err() != nil:
		return dispatch.Deferred(errors.New("slack: the connection said nothing for a minute"))
	default:
		return dispatch.Deferred(errors.New("slack: the connection was lost: " + err.Error()))
	}
}

// farewell is what follows from the reason that Slack gives for a disconnect.
func farewell(reason string) ending {
	switch reason {
	case "warning", "refresh_requested":
		return ending{isRefresh: true}
	case "link_disabled":
		return ending{outcome: dispatch.Misconfigured(errors.New(
			"slack: link_disabled: Socket Mode was turned off; turn it on in the app's settings, or take secrets.appToken out"))}
	default:
		return ending{outcome: dispatch.Deferred(errors.New("slack ended the connection: " + dispatch.Cut(reason, 100)))}
	}
}

// handler tells for each envelope whether it may be acknowledged: a click only
// once it is in the books, so that the person sees when it is not.
func (m *messenger) handler(take taking) func(context.Context, envelope) bool {
	return func(ctx context.Context, e envelope) bool {
		switch e.Type {
		case "interactive":
			return m.taken(ctx, e.Payload, take)
		case "events_api":
			m.hear(ctx, e.Payload)
		}
		return true
	}
}

func (m *messenger) taken(ctx context.Context, payload []byte, take taking) bool {
	changes, err := m.changes(ctx, payload)
	if err != nil {
		m.world.Log.WarnContext(ctx, "a payload from slack was not taken", "error", err)
		return true // it will not get better
	}
	if len(changes) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	if err := take(ctx, changes); err != nil {
		m.world.Log.WarnContext(ctx, "a click in slack was not taken, and is not acknowledged", "error", err)
		return false
	}
	return true
}
