package server

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tocsin/fake"
)

// get asks for a path without following a redirect.
func (a api) get(path string) (status int, header http.Header, body string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.url+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	answer, err := http.DefaultTransport.RoundTrip(r) //nolint:forbidigo // a test talks to itself
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

// TestPaths asks for every path that README names.
func TestPaths(t *testing.T) {
	a, hook := hooked(t)
	a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"})
	if _, err := hook.Requests.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var data struct{ Accounting struct{ Delivered int } }
	a.eventually("the delivery", `{ accounting { delivered } }`, nil, &data, func() bool { return data.Accounting.Delivered == 1 })
	contract, err := os.ReadFile("../schema.graphql")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path   string
		status int
		says   string
	}{
		{"/healthz", 200, "ok"},
		{"/readyz", 200, "ready"},
		{"/schema.graphql", 200, string(contract)},
		{"/graphiql/", 200, `src="graphiql.`},
		{"/metrics", 200, "tocsin_promised_total 1\n"},
		{"/metrics", 200, `tocsin_deliveries{status="DELIVERED"} 1` + "\n"},
		{"/metrics", 200, "tocsin_accounting_balances 1\n"},
		{"/metrics", 200, `tocsin_actor_health{actor="Receiver",status="HEALTHY",type="webhook"} 1` + "\n"},
		{"/metrics", 200, `tocsin_http_request_seconds_count{path="/graphql",status="200"}`},
		{"/graphql", 401, "UNAUTHENTICATED"},
		{"/nothing", 404, ""},
	} {
		if status, _, body := a.get(tt.path); status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: status %d, want %d with %q, got:\n%.2000s", tt.path, status, tt.status, tt.says, body)
		}
	}
	for path, to := range map[string]string{"/": "/graphiql/", "/graphiql": "/graphiql/", "/tickets/tkt_1%22x": "/graphiql/#ticket=tkt_1%22x"} {
		if status, header, _ := a.get(path); status != http.StatusFound || header.Get("Location") != to {
			t.Errorf("%s leads with %d to %q, want %q", path, status, header.Get("Location"), to)
		}
	}
}

// TestDrain: what is under way when the server is told to end is finished, no
// new work is taken, and subscriptions are completed.
func TestDrain(t *testing.T) {
	_, hook := hooked(t, fake.Step{Apply: true, Hang: true})
	p := &program{dir: t.TempDir()}
	p.start(t)
	p.hook(hook.URL())
	events, err := p.stream(t.Context(), ticketEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"})
	next(t, events)
	if _, err := hook.Requests.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range events { // completed, though the delivery is still under way
	}
	hook.Release()
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if taken := hook.Taken(); len(taken) != 1 || taken[0].Copies != 1 {
		t.Fatalf("the receiver took %+v", taken)
	}
	p.start(t)
	defer p.end()
	var data struct {
		Accounting struct{ Promised, Delivered int }
	}
	p.ask(`{ accounting { promised delivered } }`, nil, &data)
	if data.Accounting.Promised != 1 || data.Accounting.Delivered != 1 {
		t.Errorf("after the end the books have %+v, want the delivery settled", data)
	}
}

// TestOutboundIsClosed: private addresses are refused by a text that names the
// flag, and nothing is sent.
func TestOutboundIsClosed(t *testing.T) {
	_, hook := hooked(t)
	a := open(t, func(s *Serve) { s.AllowOutbound = nil })
	a.hook(hook.URL())
	r := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"})
	var data attempts
	a.eventually("the attempt", attemptsOf, map[string]any{"id": r.AlertID}, &data, func() bool {
		return len(data.Deliveries.Nodes[0].Attempts) > 0 && data.Deliveries.Nodes[0].Attempts[0].Outcome != ""
	})
	first := data.Deliveries.Nodes[0].Attempts[0]
	if first.Outcome != "MISCONFIGURED" || !strings.Contains(first.Error, "--allow-outbound") {
		t.Errorf("the attempt is %+v, want MISCONFIGURED and the flag named", first)
	}
	if taken := hook.Taken(); len(taken) != 0 {
		t.Errorf("the receiver took %+v", taken)
	}
}

// TestUnknownModelsMayBeRefused: by configuration, nobody but a registered model raises.
func TestUnknownModelsMayBeRefused(t *testing.T) {
	a := open(t, func(s *Serve) { s.UnknownModels = "reject" })
	_, text, err := a.post(t.Context(), `mutation { raiseAlert(input: {behaviorModel: "New", summary: "x"}) { alertId userErrors { code path message } } }`, nil)
	if err != nil || !strings.Contains(string(text), `"code":"NOT_FOUND"`) || !strings.Contains(string(text), "TOCSIN_UNKNOWN_MODELS") {
		t.Errorf("answered %s, %v", text, err)
	}
}

// TestConfiguration: a flag goes before the environment, that before the file;
// all faults are told at once, by the names that the operator typed.
func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tocsin.json")
	slip := filepath.Join(dir, "slip.json")
	for path, text := range map[string]string{
		file: `{"listen": "127.0.0.1:1", "public-url": "ftp://x", "allow-outbound": ["ten"]}`, slip: `{"public_url": "https://x"}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TOCSIN_LISTEN", "no address") // goes before the file
	for _, tt := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"serve", "--config", file, "--data", dir}, 1, []string{"--public-url", "--allow-outbound", "10.0.0.0/8"}},
		{[]string{"serve", "--config", slip, "--data", dir}, 2, []string{"--config", "public_url"}},
		{[]string{"serve", "--data", dir}, 1, []string{"--listen: ", "no address"}},
		{[]string{"serve", "--data", dir, "--database", "postgres://localhost/x", "--listen", "127.0.0.1:0"}, 1, []string{"--database", "sqlite:PATH"}},
		{[]string{"serve", "--unknown-models", "maybe"}, 2, []string{"--unknown-models", "register"}},
		{[]string{"serve", "--data", dir, "--listen", "256.0.0.1:1"}, 1, []string{"--listen: ", "256.0.0.1"}},
		{[]string{"token", "create", "--data", dir, "--name", "x", "--scopes", "READ", "--expires=-1h"}, 1, []string{"--expires"}},
		{[]string{"fly"}, 2, []string{"fly"}},
	} {
		var errs strings.Builder
		code := Main(tt.args, strings.NewReader(""), io.Discard, &errs)
		for _, says := range tt.says {
			if code != tt.code || !strings.Contains(errs.String(), says) {
				t.Errorf("%q ended with %d and %q; want %d and %q", tt.args, code, errs.String(), tt.code, says)
			}
		}
	}
}
