package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// ledger is a server with the ticket events c1, c2, … of which it shows each
// connection as much as the script says.
type ledger struct {
	t      *testing.T
	mu     sync.Mutex
	calls  int
	afters []string // where each subscription began
	script func(call int, s *stand)
	before func(w http.ResponseWriter, call int) bool // answers a handshake in the script's place
}

// stand is the server's side of one connection.
type stand struct {
	*ledger
	ws  *websocket.Conn
	ctx context.Context
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		fmt.Fprint(w, `{"data":{"ledgerCursor":"c0"}}`)
		return
	}
	if r.Header.Get("Authorization") != "" || strings.Contains(r.URL.String(), secret) {
		l.t.Error("the token is in the handshake, where proxies keep it")
	}
	l.mu.Lock()
	l.calls++
	call := l.calls
	l.mu.Unlock()
	if l.before != nil && l.before(w, call) {
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		l.t.Error(err)
		return
	}
	defer ws.CloseNow()
	l.script(call, &stand{l, ws, l.t.Context()})
}

// read is the next message of the client but its pings; nil when it is gone.
func (s *stand) read() *message {
	for {
		var m message
		if wsjson.Read(s.ctx, s.ws, &m) != nil {
			return nil
		}
		if m.Type != "ping" {
			return &m
		}
	}
}

func (s *stand) send(text string) { _ = s.ws.Write(s.ctx, websocket.MessageText, []byte(text)) }

// welcome takes the init and the subscription; false when the client is gone.
func (s *stand) welcome() bool {
	m := s.read()
	if m == nil || m.Type != "connection_init" || string(m.Payload) != `{"authorization":"Bearer `+secret+`"}` {
		s.t.Errorf("the init is %+v", m)
		return false
	}
	s.send(`{"type":"connection_ack"}`)
	if m = s.read(); m == nil || m.Type != "subscribe" || m.ID == "" {
		s.t.Errorf("the subscription is %+v", m)
		return false
	}
	var asked struct{ Variables struct{ After string } }
	if err := json.Unmarshal(m.Payload, &asked); err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	s.afters = append(s.afters, asked.Variables.After)
	s.mu.Unlock()
	return true
}

// show sends the events from one number to another.
func (s *stand) show(from, to int) {
	for i := from; i <= to; i++ {
		s.send(fmt.Sprintf(`{"id":"1","type":"next","payload":{"data":{"ticketEvents":{"id":"evt_%d","cursor":"c%d","kind":"OPENED","at":"2026-03-14T09:26:53Z","by":{"name":"sensor"},"status":"OPEN","severity":"HIGH","ticket":{"number":%d,"title":"Sign-in"}}}}}`, i, i, i))
	}
}

// stay waits until the client is gone, and answers its pings.
func (s *stand) stay() {
	for {
		var m message
		if wsjson.Read(s.ctx, s.ws, &m) != nil {
			return
		}
		if m.Type == "ping" {
			s.send(`{"type":"pong"}`)
		}
	}
}
