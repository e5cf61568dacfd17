package graph

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/dispatch"
)

// FuzzTake hands messages of all sorts to a socket that is greeted and to one
// that is not. Whatever they are, it says only what the protocol knows, closes
// only with its codes, and nothing runs when it is over.
func FuzzTake(f *testing.F) {
	for _, seed := range []string{
		`{"type":"connection_init"}`, `{"type":"connection_init","payload":{"authorization":"Bearer x"}}`, `{"type":"ping"}`, `{"type":"ping","payload":{"a":1}}`,
		`{"type":"pong","payload":null}`, `{"id":"a","type":"subscribe","payload":{"query":"{ __typename }"}}`,
		`{"id":"a","type":"subscribe","payload":{"query":"subscription { ticketEvents { id } }","variables":null,"extensions":{},"operationName":null}}`,
		`{"id":"a","type":"subscribe","payload":{"query":"query($n: Int!) { tickets(first: $n) { nodes { id } } }","variables":{"n":1}}}`,
		`{"id":"a","type":"subscribe","payload":{"query":"subscription { ticketEvents @skip(if: {}) { id } }"}}`,
		`{"id":"a","type":"subscribe","payload":{"query":"{ viewer @include(if: []) { name } }"}}`,
		`{"id":"b","type":"subscribe","payload":{"query":"{"}}`, `{"id":"","type":"subscribe"}`, `{"id":"a","type":"complete"}`, `{"type":["x"]}`, `{}`, `null`, `"`, "{\"type\":\"\xff\"}",
	} {
		f.Add(true, seed)
		f.Add(false, seed)
	}
	s := openStage(f)
	known := []string{"connection_ack", "ping", "pong", "next", "error", "complete"}
	f.Fuzz(func(t *testing.T, greeted bool, text string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		c := &socket{
			s: s.server, ctx: ctx, cancel: cancel, out: make(chan frame, 100), initialised: make(chan struct{}),
			release: func() {}, running: map[string]*socketOp{},
		}
		if greeted {
			c.caller = dispatch.Caller{Name: "fuzz", Scopes: []dispatch.Scope{dispatch.ScopeRead}}
			close(c.initialised)
		}
		end := frame{}
		if message, err := readJSON([]byte(text)); err == nil {
			end = c.take(message)
			c.complete("a")
		}
		cancel(nil)
		c.ops.Wait()
		c.release()
		close(c.out)
		if end.code != 0 && (end.code < 4400 || end.code > 4429 || len(end.reason) > 123 || !utf8.ValidString(end.reason)) {
			t.Errorf("closes with %d %q", end.code, end.reason)
		}
		for f := range c.out {
			var m struct{ Type string }
			if err := json.Unmarshal(f.text(nil), &m); f.code == 0 && (err != nil || !slices.Contains(known, m.Type)) {
				t.Errorf("says %q, %v", f.text(nil), err)
			}
		}
		if len(c.running) > 0 {
			t.Errorf("runs on: %v", c.running)
		}
		if log := s.log.String(); strings.Contains(log, "ERROR") {
			t.Errorf("a fault of the server: %s", log)
		}
	})
}
