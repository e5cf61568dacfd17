package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"tocsin/dispatch"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// peer is the other side of a WebSocket, as a client library writes one.
type peer struct {
	s *stage
	c *websocket.Conn
}

// socket opens a WebSocket and says nothing yet.
func (s *stage) socket(protocols ...string) *peer {
	s.t.Helper()
	c, _, err := websocket.Dial(s.t.Context(), s.url+"/graphql", &websocket.DialOptions{
		Subprotocols: protocols, HTTPClient: &http.Client{Transport: s.transport},
	})
	s.must(err)
	c.SetReadLimit(16 << 20)
	s.t.Cleanup(func() { _ = c.CloseNow() })
	return &peer{s, c}
}

// greeted is a WebSocket whose initialisation was acknowledged.
func (s *stage) greeted(scope dispatch.Scope) *peer {
	s.t.Helper()
	p := s.socket(subprotocol)
	p.say(`{"type":"connection_init","payload":{"authorization":"Bearer ` + s.tokens[scope] + `"}}`)
	p.hears(`{"type":"connection_ack"}`)
	return p
}

func (p *peer) say(messages ...string) {
	p.s.t.Helper()
	for _, m := range messages {
		p.s.must(p.c.Write(p.s.t.Context(), websocket.MessageText, []byte(m)))
	}
}

// subscribe starts an operation.
func (p *peer) subscribe(id, query string, variables map[string]any) {
	p.s.t.Helper()
	message, err := json.Marshal(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{"query": query, "variables": variables}})
	p.s.must(err)
	p.say(string(message))
}

const pingText = `{"type":"ping"}`

// read reads one message. It answers pings, as client libraries do, unless one
// is waited for.
func (p *peer) read(want string) (string, error) {
	ctx, cancel := context.WithTimeout(p.s.t.Context(), patience)
	defer cancel()
	for {
		_, data, err := p.c.Read(ctx)
		if string(data) != pingText || want == pingText {
			return string(data), err
		}
		if err := p.c.Write(ctx, websocket.MessageText, []byte(`{"type":"pong"}`)); err != nil {
			return "", err
		}
	}
}

// hears reads one message, which must be equal to the text.
func (p *peer) hears(want string) {
	p.s.t.Helper()
	if got, err := p.read(want); got != want || err != nil {
		p.s.t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

// hearsLike reads one message, which must hold the parts.
func (p *peer) hearsLike(parts ...string) string {
	p.s.t.Helper()
	got, err := p.read("")
	p.s.must(err)
	contains(p.s.t, got, parts...)
	return got
}

// echoed makes sure that the other side has read all that was said, and has
// nothing to say before that.
func (p *peer) echoed() {
	p.s.t.Helper()
	p.say(`{"type":"ping","payload":{"still":"there"}}`)
	p.hears(`{"type":"pong","payload":{"still":"there"}}`)
}

// closed reads until the close and gives its code.
func (p *peer) closed() (websocket.StatusCode, string) {
	p.s.t.Helper()
	for {
		_, err := p.read(pingText)
		var end websocket.CloseError
		switch {
		case errors.As(err, &end):
			return end.Code, end.Reason
		case err != nil:
			p.s.t.Fatalf("no close came: %v", err)
		}
	}
}

func (s *stage) raise(model string) {
	s.t.Helper()
	contains(s.t, s.ask(dispatch.ScopeRaise, fmt.Sprintf(`mutation { raiseAlert(input: {behaviorModel: %q, summary: "s", key: %q}) { alertId userErrors { message } } }`, model, model), nil), `"userErrors":[]`)
}

// TestCloseCodes breaks the protocol in each way; the close code says how.
func TestCloseCodes(t *testing.T) {
	s := newStage(t)
	hello := `{"type":"connection_init","payload":{"authorization":"Bearer ` + s.tokens[dispatch.ScopeRead] + `"}}`
	forever := `{"id":"a","type":"subscribe","payload":{"query":"subscription { ticketEvents { id } }"}}`
	for _, c := range []struct {
		name     string
		messages []string
		code     websocket.StatusCode
		reason   string
	}{
		{"a wrong token", []string{`{"type":"connection_init","payload":{"authorization":"Bearer ` + secret + `"}}`}, 4403, "Forbidden"},
		{"no token", []string{`{"type":"connection_init"}`}, 4403, "Forbidden"},
		{"a token of another scheme", []string{strings.Replace(hello, "Bearer", "Basic", 1)}, 4403, "Forbidden"},
		{"a token that is a number", []string{`{"type":"connection_init","payload":{"authorization":1}}`}, 4403, "Forbidden"},
		{"a payload that is no object", []string{`{"type":"connection_init","payload":[]}`}, 4400, "not an object"},
		{"two initialisations", []string{hello, hello}, 4429, "Too many initialisation requests"},
		{"an operation before the initialisation", []string{forever}, 4401, "Unauthorized"},
		{"an operation after a failed one", []string{hello, forever, forever}, 4409, "Subscriber for a already exists"},
		{"an id of 10 kB twice", []string{hello, strings.Replace(forever, `"a"`, `"`+strings.Repeat("x", 10_000)+`"`, 1), strings.Replace(forever, `"a"`, `"`+strings.Repeat("x", 10_000)+`"`, 1)}, 4409, "already exists"},
		{"no JSON", []string{secret}, 4400, "is not JSON near byte"},
		{"an empty message", []string{""}, 4400, "is not JSON"},
		{"no object", []string{`["` + secret + `"]`}, 4400, "is not a JSON object"},
		{"a name twice", []string{`{"type":"ping","type":"pong"}`}, 4400, "has a name twice"},
		{"text after the JSON", []string{`{"type":"ping"} {"type":"ping"}`}, 4400, "something after its end"},
		{"no UTF-8", []string{"{\"type\":\"\xff\"}"}, 4400, "is not valid UTF-8"},
		{"no type", []string{`{"id":"a"}`}, 4400, "Unknown message type"},
		{"an unknown type", []string{`{"type":"` + secret + `"}`}, 4400, "Unknown message type"},
		{"a type of the old protocol", []string{hello, `{"id":"a","type":"start","payload":{"query":"{ __typename }"}}`}, 4400, "Unknown message type"},
		{"a server's type", []string{hello, `{"type":"connection_ack"}`}, 4400, "Unknown message type"},
		{"no id", []string{hello, strings.Replace(forever, `"id":"a",`, "", 1)}, 4400, "subscribe needs an id"},
		{"an empty id", []string{hello, strings.Replace(forever, `"id":"a"`, `"id":""`, 1)}, 4400, "subscribe needs an id"},
		{"an id that is a number", []string{hello, strings.Replace(forever, `"id":"a"`, `"id":1`, 1)}, 4400, "subscribe needs an id"},
		{"no payload", []string{hello, `{"id":"a","type":"subscribe"}`}, 4400, "subscribe needs a payload"},
		{"a payload that is a text", []string{hello, `{"id":"a","type":"subscribe","payload":"{ __typename }"}`}, 4400, "subscribe needs a payload"},
		{"no query", []string{hello, `{"id":"a","type":"subscribe","payload":{}}`}, 4400, "query is not a text"},
		{"variables that are a list", []string{hello, `{"id":"a","type":"subscribe","payload":{"query":"{ __typename }","variables":[]}}`}, 4400, "variables is not a JSON object"},
		{"a name that is a number", []string{hello, `{"id":"a","type":"subscribe","payload":{"query":"{ __typename }","operationName":1}}`}, 4400, "operationName is not a text"},
		{"an end without an id", []string{hello, `{"type":"complete"}`}, 4400, "complete needs an id"},
		{"a message over 1 MiB", []string{hello, `{"type":"ping","payload":"` + strings.Repeat("x", maxBody) + `"}`}, websocket.StatusMessageTooBig, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.socket(subprotocol)
			for _, m := range c.messages {
				_ = p.c.Write(t.Context(), websocket.MessageText, []byte(m)) // the close may overtake it
			}
			code, reason := p.closed()
			if code != c.code || !strings.Contains(reason, c.reason) || strings.Contains(reason, secret) {
				t.Errorf("closed with %d %q, want %d %q", code, reason, c.code, c.reason)
			}
		})
	}
	t.Run("a binary message", func(t *testing.T) {
		p := s.greeted(dispatch.ScopeRead)
		s.must(p.c.Write(t.Context(), websocket.MessageBinary, []byte(`{"type":"ping"}`)))
		if code, _ := p.closed(); code != 4400 {
			t.Errorf("closed with %d", code)
		}
	})
	for name, protocols := range map[string][]string{"no protocol": nil, "the old protocol": {"graphql-ws"}} {
		t.Run(name, func(t *testing.T) {
			if code, reason := s.socket(protocols...).closed(); code != 4406 || reason != "Subprotocol not acceptable" {
				t.Errorf("closed with %d %q", code, reason)
			}
		})
	}
	contains(t, s.log.String(), "!"+secret, "!ERROR")
}

// TestHandshake shows which pages may connect, and what is agreed on.
func TestHandshake(t *testing.T) {
	s := newStage(t)
	for origin, status := range map[string]int{
		"": 101, s.url: 101, "https://board.example": 101, "https://evil.example": 403, "https://board.example.evil.example": 403, "null": 403,
	} {
		r := s.request(http.MethodGet, "/graphql", "", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: graphql-ws, graphql-transport-ws")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		response, err := s.transport.RoundTrip(r)
		s.must(err)
		_ = response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("origin %q: status %d, want %d", origin, response.StatusCode, status)
		}
		if got := response.Header.Get("Sec-WebSocket-Protocol"); status == 101 && got != subprotocol {
			t.Errorf("origin %q: agreed on %q", origin, got)
		}
	}
}
