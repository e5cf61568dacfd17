package graph

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"tocsin/dispatch"
)

const watchTickets = `subscription($after: String, $filter: TicketFilter) { ticketEvents(after: $after, filter: $filter) { cursor kind ticket { key } } }`

func TestSocketAnswers(t *testing.T) {
	s := newStage(t)
	ids := s.furnish()
	p := s.greeted(dispatch.ScopeTickets)
	query := func(document string, variables map[string]any) {
		p.subscribe("q", document, variables)
	}
	complete := `{"type":"complete","id":"q"}`

	query(`{ __typename }`, nil)
	p.hears(`{"type":"next","id":"q","payload":{"data":{"__typename":"Query"}}}`)
	p.hears(complete)
	query(`mutation($id: ID!) { acknowledgeTickets(input: {tickets: [{id: $id}]}) { tickets { status } userErrors { code } } }`, map[string]any{"id": ids["ticket"]})
	p.hears(`{"type":"next","id":"q","payload":{"data":{"acknowledgeTickets":{"tickets":[{"status":"ACKNOWLEDGED"}],"userErrors":[]}}}}`)
	p.hears(complete)
	query(`{ viewer { name } apiTokens { id } }`, nil) // one field of two is refused: that is an answer
	p.hearsLike(`"type":"next"`, `"code":"FORBIDDEN"`, `"data":{"viewer":{"name":"TICKETS"},"apiTokens":null}`)
	p.hears(complete)
	for _, wrong := range []struct{ query, want string }{
		{`{ nothing }`, "VALIDATION_FAILED"},
		{`{`, "PARSE_FAILED"},
		{`query($id: ID!) { ticket(id: $id) { id } }`, "VALIDATION_FAILED"},
		{`subscription { ticketEvents(after: "nonsense") { id } }`, "BAD_REQUEST"},
		{`subscription { ticketEvents { id } deliveryChanged { cursor } }`, "VALIDATION_FAILED"},
		{`subscription { ticketEvents @skip(if: true) { id } }`, "VALIDATION_FAILED"},
		{`subscription { ticketEvents @skip(if: {}) { id } }`, "VALIDATION_FAILED"},
		{`{ ... @include(if: {}) { viewer { name } } }`, "VALIDATION_FAILED"},
		{`{ ...V @skip(if: {}) } fragment V on Query { viewer { name } }`, "VALIDATION_FAILED"},
		{`subscription { __typename }`, "VALIDATION_FAILED"},
		{bomb(60), "TOO_COMPLEX"},
	} {
		query(wrong.query, nil)
		p.hearsLike(`{"type":"error","id":"q","payload":[{"message":"`, `"code":"`+wrong.want) // and no complete after it:
		p.echoed()
	}
	contains(t, s.log.String(), "!ERROR")
}

// TestSubscriptionsOnOneSocket follows two streams, ends one, and uses its id again.
func TestSubscriptionsOnOneSocket(t *testing.T) {
	s := newStage(t)
	s.furnish()
	p := s.greeted(dispatch.ScopeRead)
	for _, key := range []string{"a", "b"} {
		variables := s.head()
		variables["filter"] = map[string]any{"keys": []string{key}}
		p.subscribe(key, watchTickets, variables)
	}
	s.raise("a")
	p.hearsLike(`"id":"a"`, `"kind":"OPENED"`)
	s.raise("b")
	p.hearsLike(`"id":"b"`, `"kind":"OPENED"`)

	p.say(`{"id":"a","type":"complete"}`, `{"id":"a","type":"complete"}`, `{"id":"never","type":"complete"}`)
	p.echoed()
	s.raise("a")
	s.raise("b")
	p.hearsLike(`"id":"b"`, `"kind":"ALERT_JOINED"`) // and nothing of a

	p.subscribe("a", `{ ledgerCursor }`, nil)
	cursor := p.hearsLike(`{"type":"next","id":"a"`)
	p.hears(`{"type":"complete","id":"a"}`)
	p.subscribe("a", watchTickets, map[string]any{"after": s.dig(cursor, "payload", "data", "ledgerCursor")})
	s.raise("c")
	p.hearsLike(`"id":"a"`, `"key":"c"`)
	p.echoed()
}

// head is the newest place in the ledger: a stream after it misses nothing of
// what is raised from here on, however late it begins.
func (s *stage) head() map[string]any {
	s.t.Helper()
	return map[string]any{"after": s.text(s.ask(dispatch.ScopeRead, `{ ledgerCursor }`, nil), "ledgerCursor")}
}

// TestManyOperations fills a connection: one more is refused, and the others run on.
func TestManyOperations(t *testing.T) {
	s := newStage(t)
	p := s.greeted(dispatch.ScopeRead)
	for i := range maxRunning {
		p.subscribe(strconv.Itoa(i), watchTickets, nil)
	}
	p.subscribe("more", watchTickets, nil)
	p.hearsLike(`{"type":"error","id":"more"`, `"code":"RATE_LIMITED"`, "complete one first")
	p.say(`{"id":"7","type":"complete"}`)
	p.subscribe("more", `{ __typename }`, nil)
	p.hearsLike(`{"type":"next","id":"more"`)
	p.hears(`{"type":"complete","id":"more"}`)
}

// TestFrameSizes: a message arrives whole on both sides of each bound at which the
// protocol writes its size differently, alone and many at once.
func TestFrameSizes(t *testing.T) {
	s := newStage(t)
	p := s.greeted(dispatch.ScopeRead)
	const around = len(`{"type":"pong","payload":{"x":""}}`)
	var sizes []int
	for _, bound := range []int{126, 1 << 16, maxWrite} {
		sizes = append(sizes, bound-1, bound, bound+1)
	}
	for range 2 {
		for _, size := range sizes {
			p.say(`{"type":"ping","payload":{"x":"` + strings.Repeat("y", size-around) + `"}}`)
		}
		for _, size := range sizes {
			if got := p.hearsLike(`{"type":"pong"`); len(got) != size {
				t.Errorf("a message of %d bytes arrives with %d", size, len(got))
			}
		}
	}
}

func TestSocketGreetings(t *testing.T) {
	s := newStage(t)
	t.Run("ping before the initialisation", func(t *testing.T) {
		p := s.socket(subprotocol)
		p.say(`{"type":"ping"}`, `{"type":"pong"}`, `{"type":"pong","payload":{"x":1}}`, `{"type":"ping","payload":{"n":12345678901234567890,"t":"ü<"}}`)
		p.hears(`{"type":"pong"}`)
		p.hearsLike(`{"type":"pong","payload":{"n":12345678901234567890`)
	})
	t.Run("the token of the handshake", func(t *testing.T) {
		c, _, err := websocket.Dial(t.Context(), s.url+"/graphql", &websocket.DialOptions{
			Subprotocols: []string{"graphql-ws", subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + s.tokens[dispatch.ScopeRead]}},
		})
		s.must(err)
		defer c.CloseNow()
		p := &peer{s, c}
		p.say(`{"type":"connection_init"}`)
		p.hears(`{"type":"connection_ack"}`)
		p.subscribe("a", `{ viewer { name } }`, nil)
		p.hearsLike(`"name":"READ"`)
	})
	t.Run("the name of the token's field in any case", func(t *testing.T) {
		p := s.socket(subprotocol)
		p.say(`{"type":"connection_init","payload":{"Authorization":"bearer ` + s.tokens[dispatch.ScopeRaise] + `","more":1}}`)
		p.hears(`{"type":"connection_ack"}`)
	})
}

// TestRevoked ends a token while a socket and a stream use it: here, and from
// another process that works on the same books.
func TestRevoked(t *testing.T) {
	s := newStage(t)
	s.furnish()
	elsewhere := s.openDesk(slog.New(slog.DiscardHandler))
	for name, revoke := range map[string]func(id string){
		"here": s.revoke,
		"elsewhere": func(id string) {
			_, err := elsewhere.RevokeToken(t.Context(), admin, id)
			s.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, id := s.newToken(dispatch.ScopeRead)
			p := s.socket(subprotocol)
			p.say(`{"type":"connection_init","payload":{"authorization":"Bearer ` + text + `"}}`)
			p.hears(`{"type":"connection_ack"}`)
			p.subscribe("a", watchTickets, s.head())
			e := s.events(text, watchTickets, s.head())
			s.raise(name) // both run
			p.hearsLike(`"kind":"OPENED"`)
			e.hears("next", `"kind":"OPENED"`)
			began := time.Now()
			revoke(id)
			if code, reason := p.closed(); code != 4403 || reason != "Forbidden" {
				t.Errorf("closed with %d %q", code, reason)
			}
			e.hears("next", `"code":"UNAUTHENTICATED"`)
			e.ends()
			if took := time.Since(began); took > 5*time.Second { // a second, and what a busy machine adds
				t.Errorf("took %s", took)
			}
			t.Logf("took %s", time.Since(began).Round(time.Millisecond))
		})
	}
}

// TestExpires lets a token's time run out while a socket uses it.
func TestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBubbleStage(t)
		soon := time.Now().Add(time.Minute)
		p := s.socket(subprotocol)
		p.say(`{"type":"connection_init","payload":{"authorization":"Bearer ` + s.token(dispatch.ScopeRead, &soon) + `"}}`)
		p.hears(`{"type":"connection_ack"}`)
		p.subscribe("a", watchTickets, nil)
		for range 3 { // pings in the minute
			p.hears(pingText)
			p.say(`{"type":"pong"}`)
		}
		if code, _ := p.closed(); code != 4403 || time.Since(soon) < 0 || time.Since(soon) > time.Second {
			t.Errorf("closed with %d, %s after the token's end", code, time.Since(soon))
		}
	})
}

// TestSocketTimes is about silence: before the initialisation, and later.
func TestSocketTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBubbleStage(t)
		began := time.Now()
		p := s.socket(subprotocol)
		if code, reason := p.closed(); code != 4408 || reason != "Connection initialisation timeout" || time.Since(began) != initTime {
			t.Errorf("closed with %d %q after %s", code, reason, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newBubbleStage(t)
		p := s.greeted(dispatch.ScopeRead)
		began := time.Now()
		p.hears(pingText)
		p.say(`{"type":"pong"}`)
		p.hears(pingText) // and no answer
		if code, reason := p.closed(); code != websocket.StatusGoingAway || reason != "No answer to a ping" || time.Since(began) != 3*pingEvery {
			t.Errorf("closed with %d %q after %s", code, reason, time.Since(began))
		}
	})
}

// TestDrain ends the server: streams complete, and nothing new begins.
func TestDrain(t *testing.T) {
	s := newStage(t)
	s.furnish()
	p := s.greeted(dispatch.ScopeRead)
	p.subscribe("a", watchTickets, s.head())
	p.subscribe("b", watchTickets, s.head())
	e := s.events(s.tokens[dispatch.ScopeRead], watchTickets, s.head())
	s.raise("m") // all run
	p.hearsLike(`"kind":"OPENED"`)
	p.hearsLike(`"kind":"OPENED"`)
	e.hears("next", `"kind":"OPENED"`)
	go s.drain()
	ended := []string{p.hearsLike(`"type":"complete"`), p.hearsLike(`"type":"complete"`)}
	if !strings.Contains(strings.Join(ended, ""), `"a"`) || !strings.Contains(strings.Join(ended, ""), `"b"`) {
		t.Errorf("ended %v", ended)
	}
	if code, reason := p.closed(); code != websocket.StatusGoingAway || reason != "Server is stopping" {
		t.Errorf("closed with %d %q", code, reason)
	}
	e.hears("complete")
	s.drain()
	response, body := s.do(s.request(http.MethodPost, "/graphql", typename, "Authorization: Bearer "+s.tokens[dispatch.ScopeRead], "Content-Type: application/json"))
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "1" {
		t.Errorf("status %d after the drain", response.StatusCode)
	}
	contains(t, body, `"code":"OVERLOADED"`)
}

// TestDrainWaits ends the server while mutations are under way, over each
// transport: they are answered.
func TestDrainWaits(t *testing.T) {
	synctest.Test(t, drainWaits)
}

func drainWaits(t *testing.T) {
	s := newBubbleStage(t)
	ids := s.furnish()
	s.postman.here, s.postman.door = make(chan struct{}), make(chan struct{})
	document, variables := `mutation($id: ID!) { testApiConfig(input: {id: $id}) { ok message } }`, map[string]any{"id": ids["apiConfig"]}
	p := s.greeted(dispatch.ScopeConfigure)
	p.subscribe("a", document, variables)
	<-s.postman.here
	answered := make(chan string, 1)
	go func() { answered <- s.ask(dispatch.ScopeConfigure, document, variables) }()
	<-s.postman.here
	e := s.events(s.tokens[dispatch.ScopeConfigure], document, variables)
	<-s.postman.here
	drained := make(chan error, 1)
	go func() { drained <- s.server.Drain(t.Context()) }()
	synctest.Wait() // nothing moves any more
	close(s.postman.door)
	p.hearsLike(`"type":"next"`, `"ok":true`)
	p.hears(`{"type":"complete","id":"a"}`)
	if code, _ := p.closed(); code != websocket.StatusGoingAway {
		t.Errorf("closed with %d", code)
	}
	contains(t, <-answered, `"ok":true`)
	e.hears("next", `"ok":true`)
	e.ends()
	s.must(<-drained)
}
