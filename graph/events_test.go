package graph

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/dispatch"
)

// source reads a stream of server-sent events as a browser does.
type source struct {
	s        *stage
	response *http.Response
	lines    *bufio.Reader
}

// event is what a listener of EventSource is given.
type event struct{ kind, id, data string }

// events opens a stream by POST.
func (s *stage) events(token, query string, variables map[string]any) *source {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	s.must(err)
	r := s.request(http.MethodPost, "/graphql", string(body), "Authorization: Bearer "+token, "Content-Type: application/json", "Accept: text/event-stream")
	return s.stream(r)
}

func (s *stage) stream(r *http.Request) *source {
	s.t.Helper()
	response, err := s.transport.RoundTrip(r)
	s.must(err)
	late := time.AfterFunc(4*patience, func() { _ = response.Body.Close() })
	s.t.Cleanup(func() {
		late.Stop()
		_ = response.Body.Close()
	})
	return &source{s, response, bufio.NewReader(response.Body)}
}

// next reads the next event by the rules of the HTML standard: a comment is
// nothing, and an event without a data line is not dispatched. Comments are
// counted.
func (e *source) next() (got event, comments int, ok bool) {
	var data []string
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return got, comments, false
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && data != nil:
			got.data = strings.Join(data, "\n")
			return got, comments, true
		case line == "":
			got = event{}
		case name == "":
			comments++
		case name == "event":
			got.kind = value
		case name == "id":
			got.id = value
		case name == "data":
			data = append(data, value)
		default:
			e.s.t.Errorf("an unknown line %q", line)
		}
	}
}

// hears reads one event, which must be of the kind and hold the parts.
func (e *source) hears(kind string, parts ...string) event {
	e.s.t.Helper()
	got, _, ok := e.next()
	if !ok || got.kind != kind {
		e.s.t.Fatalf("heard %+v, %v; want %s", got, ok, kind)
	}
	contains(e.s.t, got.data, parts...)
	return got
}

// ends makes sure that nothing comes after the end.
func (e *source) ends() {
	e.s.t.Helper()
	if got := e.hears("complete"); got.data != "" {
		e.s.t.Errorf("the end holds %q", got.data)
	}
	if got, _, ok := e.next(); ok {
		e.s.t.Errorf("after the end came %+v", got)
	}
}

func TestEventsHeaders(t *testing.T) {
	s := newStage(t)
	e := s.events(s.tokens[dispatch.ScopeRead], `{ __typename }`, nil)
	if e.response.StatusCode != http.StatusOK {
		t.Fatalf("status %d", e.response.StatusCode)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Length": "",
	} {
		if got := e.response.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	e.hears("next", `{"data":{"__typename":"Query"}}`)
	e.ends()
}

// TestEventsAnswers shows that whatever comes of an operation comes as events.
func TestEventsAnswers(t *testing.T) {
	s := newStage(t)
	for name, c := range map[string]struct{ query, want string }{
		"a query":                    {`{ viewer { name } }`, `{"data":{"viewer":{"name":"TICKETS"}}}`},
		"a mutation":                 {`mutation { markNotificationsRead(input: {}) { unreadCount } }`, `{"data":{"markNotificationsRead":{"unreadCount":0}}}`},
		"a field that is refused":    {`{ apiTokens { id } }`, `"code":"FORBIDDEN"`},
		"a document that is none":    {`{`, `"code":"PARSE_FAILED"`},
		"an unknown field":           {`{ nothing }`, `"code":"VALIDATION_FAILED"`},
		"a missing variable":         {`query($id: ID!) { ticket(id: $id) { id } }`, `"code":"VALIDATION_FAILED"`},
		"too much":                   {bomb(60), `"code":"TOO_COMPLEX"`},
		"a cursor that is none":      {`subscription { ticketEvents(after: "nonsense") { id } }`, `"code":"BAD_REQUEST"`},
		"a cursor of another ledger": {`subscription { ticketEvents(after: "` + dispatch.LedgerCursor(1_000_000) + `") { id } }`, `"code":"CURSOR_EXPIRED"`},
		"two streams":                {`subscription { ticketEvents { id } deliveryChanged { cursor } }`, `"code":"VALIDATION_FAILED"`},
	} {
		t.Run(name, func(t *testing.T) {
			e := s.events(s.tokens[dispatch.ScopeTickets], c.query, nil)
			e.hears("next", c.want)
			e.ends()
		})
	}
	response, body := s.do(s.request(http.MethodPost, "/graphql", "{", "Authorization: Bearer "+s.tokens[dispatch.ScopeRead], "Content-Type: application/json", "Accept: text/event-stream"))
	if response.StatusCode != http.StatusBadRequest || !strings.HasPrefix(response.Header.Get("Content-Type"), mediaJSON) {
		t.Errorf("a body that is no JSON: status %d, %s", response.StatusCode, body)
	}
}

// TestEventSource does what the browser's own client does: GET, read ids, break
// off, and come again with the last one.
func TestEventSource(t *testing.T) {
	s := newStage(t)
	s.furnish()
	open := func(last string) *source {
		variables, err := json.Marshal(s.head())
		s.must(err)
		address := "/graphql?" + url.Values{"query": {watchTickets}, "variables": {string(variables)}}.Encode()
		r := s.request(http.MethodGet, address, "", "Authorization: Bearer "+s.tokens[dispatch.ScopeRead], "Accept: text/event-stream", "Cache-Control: no-cache")
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		return s.stream(r)
	}
	e := open("")
	s.raise("a")
	first := e.hears("next", `"key":"a"`)
	if cursor := s.dig(first.data, "data", "ticketEvents", "cursor"); first.id != cursor {
		t.Errorf("the event's id is %q, its cursor %q", first.id, cursor)
	}
	s.raise("b")
	s.must(e.response.Body.Close()) // b is lost on the way
	s.raise("c")
	e = open(first.id) // the head of this moment stands in the address; the browser knows better
	e.hears("next", `"key":"b"`)
	e.hears("next", `"key":"c"`)
	s.raise("d")
	e.hears("next", `"key":"d"`)

	e = open("nonsense")
	e.hears("next", `"code":"BAD_REQUEST"`)
	e.ends()
}

// TestEventsKeepAlive says something now and then, so that no proxy thinks the
// stream dead, and ends a stream whose reader is gone.
func TestEventsKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBubbleStage(t)
		s.furnish()
		e := s.events(s.tokens[dispatch.ScopeRead], watchTickets, s.head())
		time.AfterFunc(time.Minute+time.Second, func() { s.raise("late") })
		got, comments, ok := e.next()
		if !ok || comments != 5 || !strings.Contains(got.data, "late") { // the opening one, and four in a minute
			t.Errorf("%d comments, then %+v", comments, got)
		}
	})
}

// TestHealthOverBoth follows an actor's health: it is a state, so its events
// have no id to resume from.
func TestHealthOverBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBubbleStage(t)
		ids := s.furnish()
		document := `subscription { actorHealthChanged { name health { status } } }`
		e := s.events(s.tokens[dispatch.ScopeRead], document, nil)
		p := s.greeted(dispatch.ScopeRead)
		p.subscribe("a", document, nil)
		synctest.Wait()
		contains(t, s.ask(dispatch.ScopeAdmin, `mutation($id: ID!) { updateActor(input: {id: $id, enabled: false}) { actor { enabled } } }`, map[string]any{"id": ids["actor"]}), `"enabled":false`)
		if got := e.hears("next", `"name":"Post office"`, `"status":"DISABLED"`); got.id != "" {
			t.Errorf("the event has the id %q", got.id)
		}
		p.hearsLike(`"type":"next"`, `"status":"DISABLED"`)
	})
}
