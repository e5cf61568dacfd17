package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"tocsin/dispatch"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// api is a client of a server, as a user writes one.
type api struct {
	t     testing.TB
	url   string
	token string
}

// open starts the whole program in this process, on a file, and returns a
// client with an administrator's token.
func open(t *testing.T, change func(*Serve)) api {
	t.Helper()
	return openIn(t, t.TempDir(), io.Discard, change)
}

// openIn does so in a directory, and writes the log.
func openIn(t *testing.T, dir string, log io.Writer, change func(*Serve)) api {
	t.Helper()
	s := &Serve{
		Books:  Books{Data: dir, Database: "sqlite:" + filepath.Join(dir, "tocsin.db"), KeyFile: filepath.Join(dir, "key")},
		Listen: "127.0.0.1:0", AllowOutbound: []string{"127.0.0.1"}, UnknownModels: "register", Introspection: true, LogFormat: "text",
		Sandbox: Sandbox{LambdaWorkers: 2, LambdaDeadline: 5 * time.Second, LambdaMemory: 64},
	}
	if change != nil {
		change(s)
	}
	h, err := s.open(t.Context(), streams{nil, io.Discard, log})
	if err != nil {
		t.Fatal(err)
	}
	token, err := makeToken(t.Context(), h.store, "administrator", []dispatch.Scope{dispatch.ScopeAdmin}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- h.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error("the server ended with", err)
		}
	})
	return api{t, "http://" + h.address(), token}
}

// post sends a request and returns status and body.
func (a api) post(ctx context.Context, query string, variables map[string]any) (int, []byte, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r) //nolint:forbidigo // a test talks to itself
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// ask runs an operation that must go well, user errors included.
func (a api) ask(query string, variables map[string]any, data any) {
	a.t.Helper()
	_, text, err := a.post(a.t.Context(), query, variables)
	if err != nil {
		a.t.Fatal(err)
	}
	var answer struct {
		Data   json.RawMessage
		Errors []json.RawMessage
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Errors) > 0 {
		a.t.Fatalf("%s\nanswered %s", query, text)
	}
	var payloads map[string]struct{ UserErrors []json.RawMessage }
	if json.Unmarshal(answer.Data, &payloads) == nil {
		for field, p := range payloads {
			if len(p.UserErrors) > 0 {
				a.t.Fatalf("%s\n%s refused: %s", query, field, p.UserErrors)
			}
		}
	}
	if data != nil {
		if err := json.Unmarshal(answer.Data, data); err != nil {
			a.t.Fatalf("%v in %s", err, answer.Data)
		}
	}
}

// made runs a creation and returns the id of what it made.
func (a api) made(mutation, noun string, input map[string]any) string {
	a.t.Helper()
	title := strings.ToUpper(mutation[:1]) + mutation[1:]
	var data map[string]map[string]json.RawMessage
	a.ask(fmt.Sprintf(`mutation($in: %sInput!) { %s(input: $in) { %s { id } userErrors { message path } } }`, title, mutation, noun),
		map[string]any{"in": input}, &data)
	var thing struct{ ID string }
	if err := json.Unmarshal(data[mutation][noun], &thing); err != nil || thing.ID == "" {
		a.t.Fatalf("%s made nothing: %v", mutation, data)
	}
	return thing.ID
}

// raised is what a raise answered.
type raised struct {
	AlertID, TicketID string
	TicketNumber      int
	DeliveryCount     int
	IsRepeat          bool
}

func (a api) raise(input map[string]any) raised {
	a.t.Helper()
	var data struct{ RaiseAlert raised }
	a.ask(`mutation($in: RaiseAlertInput!) { raiseAlert(input: $in) { alertId ticketId ticketNumber deliveryCount isRepeat userErrors { message path } } }`,
		map[string]any{"in": input}, &data)
	return data.RaiseAlert
}

func (a api) moveTicket(mutation, id string) {
	a.t.Helper()
	a.ask(fmt.Sprintf(`mutation($id: ID!) { %s(input: {tickets: [{id: $id}]}) { tickets { id } userErrors { message path } } }`, mutation),
		map[string]any{"id": id}, nil)
}

// eventually asks until the answer is as wanted.
func (a api) eventually(what, query string, variables map[string]any, data any, wanted func() bool) {
	a.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for {
		a.ask(query, variables, data)
		if wanted() {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			a.t.Fatalf("%s did not happen: %+v", what, data)
		}
	}
}

// event is a message of a ticket subscription.
type event struct {
	Cursor, Kind, Status, StatusBefore string
	MatchesNow                         bool
	TicketVersion                      int
	Ticket                             struct {
		ID     string
		Status string
	}
}

const ticketEvents = `subscription($after: String, $filter: TicketFilter) { ticketEvents(after: $after, filter: $filter) {
	cursor kind status statusBefore matchesNow ticketVersion ticket { id status } } }`

// socket subscribes over a WebSocket with graphql-transport-ws; events come
// until ctx ends.
func (a api) socket(ctx context.Context, query string, variables map[string]any) (<-chan event, error) {
	c, _, err := websocket.Dial(ctx, a.url+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return nil, err
	}
	if err := wsjson.Write(ctx, c, map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + a.token}}); err != nil {
		return nil, err
	}
	var ack struct{ Type string }
	if err := wsjson.Read(ctx, c, &ack); err != nil || ack.Type != "connection_ack" {
		return nil, fmt.Errorf("the init was answered with %q: %w", ack.Type, err)
	}
	if err := wsjson.Write(ctx, c, map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": query, "variables": variables}}); err != nil {
		return nil, err
	}
	events := make(chan event)
	go func() {
		defer close(events)
		defer c.CloseNow()
		for {
			var m struct {
				Type    string
				Payload struct {
					Data struct{ TicketEvents event }
				}
			}
			if wsjson.Read(ctx, c, &m) != nil {
				return
			}
			if m.Type == "ping" && wsjson.Write(ctx, c, map[string]any{"type": "pong"}) == nil {
				continue
			}
			if m.Type != "next" {
				return
			}
			select {
			case events <- m.Payload.Data.TicketEvents:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events, nil
}

// stream subscribes over server-sent events; events come until ctx ends.
func (a api) stream(ctx context.Context, query string, variables map[string]any) (<-chan event, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	answer, err := http.DefaultClient.Do(r) //nolint:forbidigo // a test talks to itself
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", answer.StatusCode)
	}
	events := make(chan event)
	go func() {
		defer close(events)
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() {
			text, ok := strings.CutPrefix(lines.Text(), "data:")
			var m struct{ Data struct{ TicketEvents event } }
			if !ok || json.Unmarshal([]byte(text), &m) != nil || m.Data.TicketEvents.Cursor == "" {
				continue
			}
			select {
			case events <- m.Data.TicketEvents:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events, nil
}

// next is the next event of a stream that must bring one.
func next(t *testing.T, events <-chan event) event {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(patience):
		t.Fatal("no event came")
	}
	return event{}
}
