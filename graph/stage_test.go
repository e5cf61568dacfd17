package graph

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tocsin/db"
	"tocsin/dispatch"
	"tocsin/lambda"
)

// stage is a front door over a real desk on a real SQLite file.
type stage struct {
	t         testing.TB
	desk      *dispatch.Desk
	server    *Server
	url       string
	transport http.RoundTripper
	path      string // of the books
	postman   *postman
	log       *lockedBuffer
	tokens    map[dispatch.Scope]string

	mu   sync.Mutex
	seen []Operation
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type postSettings struct {
	Address string `json:"address" title:"Address" doc:"Where." format:"uri"`
	Token   string `json:"token" title:"Token" doc:"The token." secret:"true"`
}

type postConfig struct {
	Text string `json:"text" title:"Text" doc:"What to say." template:"true"`
}

// postman delivers at once, or, when he has a door, when the test opens it.
type postman struct{ here, door chan struct{} }

func (p *postman) Deliver(ctx context.Context, _ dispatch.Parcel) dispatch.Outcome {
	if p.door != nil {
		p.here <- struct{}{}
		select {
		case <-p.door:
		case <-ctx.Done():
			return dispatch.Deferred(ctx.Err())
		}
	}
	return dispatch.Delivered(dispatch.Ref{ID: "letter"})
}

func kinds(p *postman) []dispatch.Kind {
	open := func(any, dispatch.World) (dispatch.Messenger, error) { return p, nil }
	return []dispatch.Kind{
		{
			Name: "board", Title: "Board", Description: "A board.", BuiltIn: true, DefaultName: "Board-Default",
			Settings: &struct{}{}, ConfigSettings: &postConfig{Text: "{{.Alert.Summary}}"},
			Capabilities: []dispatch.Capability{dispatch.CanDeliver}, Open: open,
		},
		{
			Name: "post", Title: "Post", Description: "Letters.", DefaultName: "Post-Default",
			Settings: &postSettings{}, ConfigSettings: &postConfig{Text: "{{.Alert.Summary}}"},
			Capabilities: []dispatch.Capability{dispatch.CanDeliver}, Open: open,
		},
	}
}

// newStage opens a front door on a socket; it is drained and closed when the
// test ends.
func newStage(t *testing.T, change ...func(*Options)) *stage {
	t.Helper()
	s := openStage(t, change...)
	house := httptest.NewServer(s.server)
	transport := &http.Transport{}
	s.url, s.transport = house.URL, transport
	t.Cleanup(func() {
		s.drain()
		transport.CloseIdleConnections()
		house.CloseClientConnections()
		house.Close()
	})
	return s
}

// openStage opens a front door that nothing leads to yet.
func openStage(tb testing.TB, change ...func(*Options)) *stage {
	tb.Helper()
	s := &stage{
		t: tb, log: &lockedBuffer{}, tokens: map[dispatch.Scope]string{}, postman: &postman{},
		path: filepath.Join(tb.TempDir(), "books.db"),
	}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	s.desk = s.openDesk(log)
	for _, scope := range dispatch.Scopes {
		s.tokens[scope] = s.token(scope, nil)
	}
	o := Options{
		PublicURL: "https://tocsin.example", Version: "1.2.3", Storage: "sqlite", StartedAt: time.UnixMilli(1_700_000_000_123), Log: log,
		AllowOrigins: []string{"https://board.example"}, Introspection: true, Observe: s.observe,
	}
	for _, change := range change {
		change(&o)
	}
	s.server = New(s.desk, o)
	tb.Cleanup(s.drain)
	return s
}

// openDesk opens a desk on the books, as each process does that works on them.
func (s *stage) openDesk(log *slog.Logger) *dispatch.Desk {
	s.t.Helper()
	keys, err := db.OpenKeyring(s.path + ".key")
	s.must(err)
	store, err := db.Open(s.t.Context(), "sqlite:"+s.path, db.Options{Keyring: keys, Kinds: kinds(s.postman), Logger: log})
	s.must(err)
	s.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.t.Errorf("close the books: %v", err)
		}
	})
	conditions, err := lambda.NewConditions()
	s.must(err)
	crew := lambda.NewCrew(lambda.Options{Deadline: 5 * time.Second})
	s.t.Cleanup(crew.Close)
	desk, err := dispatch.NewDesk(s.t.Context(), dispatch.Options{
		Store: store, Kinds: kinds(s.postman), Conditions: conditions, Sandbox: crew, Log: log, PublicURL: "https://tocsin.example",
	})
	s.must(err)
	return desk
}

// drain ends the front door; a second time it does nothing.
func (s *stage) drain() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.server.Drain(ctx); err != nil {
		s.t.Errorf("drain: %v", err)
	}
}

func (s *stage) observe(o Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, o)
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

var admin = dispatch.Caller{TokenID: "tok_test", Name: "alice", Scopes: []dispatch.Scope{dispatch.ScopeAdmin}}

// token makes a token with one scope and gives its text.
func (s *stage) token(scope dispatch.Scope, expires *time.Time) string {
	s.t.Helper()
	_, text, err := s.desk.CreateToken(s.t.Context(), admin, dispatch.CreateTokenInput{Name: string(scope), Scopes: []dispatch.Scope{scope}, ExpiresAt: expires})
	s.must(err)
	return text
}

// newToken makes a token as users do, and gives its text and its id.
func (s *stage) newToken(scope dispatch.Scope) (text, id string) {
	s.t.Helper()
	a := s.ask(dispatch.ScopeAdmin, `mutation($s: [Scope!]!) { createApiToken(input: {name: "another", scopes: $s}) { token apiToken { id } } }`, map[string]any{"s": []dispatch.Scope{scope}})
	return s.text(a, "createApiToken", "token"), s.text(a, "createApiToken", "apiToken", "id")
}

func (s *stage) revoke(id string) {
	s.t.Helper()
	a := s.ask(dispatch.ScopeAdmin, `mutation($id: ID!) { revokeApiToken(input: {id: $id}) { apiToken { revokedAt } } }`, map[string]any{"id": id})
	contains(s.t, a, `"revokedAt":"20`)
}

// state is how far configuration and ledger have come.
type state struct {
	configuration int64
	ledger        int64
}

func (s *stage) state() state {
	s.t.Helper()
	cfg, err := s.desk.Configuration(s.t.Context())
	s.must(err)
	head, err := s.desk.LedgerHead(s.t.Context())
	s.must(err)
	return state{cfg.Version, head}
}

// unchanged makes sure that nothing was written since.
func (s *stage) unchanged(tb testing.TB, before state) {
	tb.Helper()
	if now := s.state(); now != before {
		tb.Errorf("something was changed: %+v, before %+v", now, before)
	}
}

// furnish makes an actor with a secret, an API config and an action for all
// models, and raises an alert. It gives the ids by word.
func (s *stage) furnish() map[string]string {
	s.t.Helper()
	ids := map[string]string{}
	a := s.ask(dispatch.ScopeAdmin, `mutation { createActor(input: {type: "post", name: "Post office", settings: {address: "https://post.example"}, secrets: {token: "hunter2-hunter2"}}) { actor { id } userErrors { message } } }`, nil)
	ids["actor"] = s.text(a, "createActor", "actor", "id")
	a = s.ask(dispatch.ScopeAdmin, `mutation($a: ID) { createApiConfig(input: {actorType: "post", actorId: $a}) { apiConfig { id } userErrors { message } } }`, map[string]any{"a": ids["actor"]})
	ids["apiConfig"] = s.text(a, "createApiConfig", "apiConfig", "id")
	a = s.ask(dispatch.ScopeAdmin, `mutation($c: [ID!]!) { createAction(input: {name: "Tell everybody", allModels: true, apiConfigIds: $c}) { action { id } userErrors { message } } }`, map[string]any{"c": []string{ids["apiConfig"]}})
	ids["action"] = s.text(a, "createAction", "action", "id")
	a = s.ask(dispatch.ScopeRaise, `mutation { raiseAlert(input: {behaviorModel: "Impossible travel", summary: "jdoe is in two places", key: "jdoe", severity: HIGH}) { alertId ticketId } }`, nil)
	ids["alert"], ids["ticket"] = s.text(a, "raiseAlert", "alertId"), s.text(a, "raiseAlert", "ticketId")
	a = s.ask(dispatch.ScopeRead, `{ deliveries(first: 1) { nodes { id } } behaviorModel(name: "impossible TRAVEL") { id } }`, nil)
	ids["delivery"], ids["behaviorModel"] = s.text(a, "deliveries", "nodes", "0", "id"), s.text(a, "behaviorModel", "id")
	a = s.ask(dispatch.ScopeAdmin, `{ apiTokens { id } }`, nil)
	ids["token"] = s.text(a, "apiTokens", "0", "id")
	return ids
}
