package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestFake: each fake prints an actor that works as it stands, plays its script,
// and shows what comes.
func TestFake(t *testing.T) {
	for vendor, config := range map[string]map[string]any{
		"slack": {"channel": "#alerts"}, "pagerduty": nil, "webhook": nil, "smtp": {"to": []string{"soc@example.com"}},
		"jira":        {"project": "SEC"},
		"servicenow":  {"category": "network"},
		"sentinelone": {"target": fakeThreat, "note": "{{.Alert.Summary}}"},
		"peplink":     {"operation": "block", "client": fakeClient, "group": "Branches", "aclId": "12"},
	} {
		t.Run(vendor, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "faults.json")
			steps := `[{"status": 503}]`
			switch vendor {
			case "slack":
				steps = `[{"path": "/api/chat.postMessage", "status": 503}]`
			case "smtp":
				steps = `[{"phase": "data", "code": 451, "text": "later"}]`
			}
			if err := os.WriteFile(script, []byte(steps), 0o600); err != nil {
				t.Fatal(err)
			}
			out := faked(t, &Fake{Vendor: vendor, Listen: "127.0.0.1:0", Script: script})
			a := open(t, nil)
			printed := wantPrinted(t, out, `(?m)^\{.*\}$`)
			var input struct{ Input map[string]any }
			if err := json.Unmarshal([]byte(printed), &input); err != nil {
				t.Fatal(err)
			}
			actor := a.made("createActor", "actor", input.Input)
			cfg := a.made("createApiConfig", "apiConfig", map[string]any{"actorType": actorType(vendor), "actorId": actor, "settings": config})
			action := a.made("createAction", "action", map[string]any{"name": "All", "allModels": true, "apiConfigIds": []string{cfg}})
			a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in from Lima"})
			wantPrinted(t, out, `Sign-in from Lima|Model|PUT \S+/grouped_mac`)
			var data struct {
				Action struct {
					Deliveries struct {
						Nodes []struct{ Attempts []struct{ Outcome string } }
					}
				}
			}
			a.eventually("an attempt that the script failed, and one that went well",
				`query($id: ID!) { action(id: $id) { deliveries { nodes { attempts { outcome } } } } }`, map[string]any{"id": action}, &data, func() bool {
					n := data.Action.Deliveries.Nodes[0].Attempts
					return len(n) == 2 && n[0].Outcome == "DEFERRED" && n[1].Outcome == "DELIVERED"
				})
		})
	}
}

// wantPrinted waits for a command to have printed something.
func wantPrinted(t *testing.T, out *transcript, pattern string) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for {
		if found := regexp.MustCompile(pattern).FindString(out.String()); found != "" {
			return found
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s was not printed: %s", pattern, out)
		}
	}
}

// TestFakePeople: a person at a vendor, told by an HTTP call what to do, moves
// the ticket.
func TestFakePeople(t *testing.T) {
	for _, row := range []struct {
		vendor, act, want string
		config            map[string]any
		before, after     string // mutations of the actor, and of the ticket
	}{
		{vendor: "slack", act: "click?button=acknowledge", want: "ACKNOWLEDGED", config: map[string]any{"channel": "#alerts"}},
		{
			vendor: "pagerduty", act: "resolve", want: "CLOSED",
			before: `mutation($id: ID!) { installActorWebhook(input: {id: $id}) { userErrors { message } } }`,
		},
		{
			vendor: "jira", act: "move?to=Done", want: "CLOSED", config: map[string]any{"project": "SEC"},
			before: `mutation($id: ID!) { installActorWebhook(input: {id: $id}) { userErrors { message } } }`,
		},
		{
			vendor: "servicenow", act: "state?state=2", want: "ACKNOWLEDGED", config: map[string]any{},
			after: `mutation($id: ID!) { refreshTicket(input: {id: $id}) { userErrors { message } } }`,
		},
		{
			vendor: "sentinelone", act: "status?status=in_progress", want: "ACKNOWLEDGED", config: map[string]any{"target": fakeThreat},
			after: `mutation($id: ID!) { refreshTicket(input: {id: $id}) { userErrors { message } } }`,
		},
	} {
		t.Run(row.vendor, func(t *testing.T) {
			out := faked(t, &Fake{Vendor: row.vendor, Listen: "127.0.0.1:0"})
			a := open(t, nil)
			var input struct{ Input map[string]any }
			if err := json.Unmarshal([]byte(wantPrinted(t, out, `(?m)^\{.*\}$`)), &input); err != nil {
				t.Fatal(err)
			}
			actor, _ := a.twoWay(row.vendor, input.Input, row.config)
			if row.before != "" {
				a.ask(row.before, map[string]any{"id": actor}, nil)
			}
			ticket := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"}).TicketID
			a.inSync(ticket)
			url := wantPrinted(t, out, `http://[0-9.:]+/_fake/`)
			a.eventually("a person who acts", `{ server { version } }`, nil, new(any), func() bool { // Slack has to be connected for it
				return told(t, url+row.act) == http.StatusOK
			})
			if row.after != "" {
				a.ask(row.after, map[string]any{"id": ticket}, nil)
			}
			var data struct{ Ticket struct{ Status string } }
			a.eventually("a ticket that is "+row.want, `query($id: ID!) { ticket(id: $id) { status } }`, map[string]any{"id": ticket}, &data, func() bool {
				return data.Ticket.Status == row.want
			})
			if row.vendor == "pagerduty" {
				wantPrinted(t, out, `incident\.resolved goes to \S+/hooks/\S+ and is answered 2`)
			}
			if strings.Contains(out.String(), " POST /_fake/") {
				t.Error("what a person is told is printed as a request")
			}
		})
	}
}

// TestFakePeopleCannot: what a person cannot do is answered with why and what
// there is.
func TestFakePeopleCannot(t *testing.T) {
	for _, row := range []struct {
		vendor, act string
		status      int
	}{
		{"slack", "click", http.StatusConflict},
		{"pagerduty", "resolve", http.StatusConflict},
		{"pagerduty", "acknowledge?id=P404", http.StatusConflict},
		{"pagerduty", "dance", http.StatusNotFound},
		{"sentinelone", "status?status=asleep", http.StatusConflict},
		{"sentinelone", "verdict?verdict=suspicious&threat=1", http.StatusConflict},
	} {
		t.Run(row.vendor+" "+row.act, func(t *testing.T) {
			out := faked(t, &Fake{Vendor: row.vendor, Listen: "127.0.0.1:0"})
			if got := told(t, wantPrinted(t, out, `http://[0-9.:]+/_fake/`)+row.act); got != row.status {
				t.Errorf("it is answered %d, want %d", got, row.status)
			}
		})
	}
}

// faked runs the command until the test ends; what it prints is returned.
func faked(t *testing.T, f *Fake) *transcript {
	t.Helper()
	out := &transcript{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx, streams{nil, out, io.Discard}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return out
}

// told tells a person to act and returns the status of the answer.
func told(t *testing.T, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	return answer.StatusCode
}

// TestFakeRefuses: a script that cannot be played is refused, with its place and
// the remedy.
func TestFakeRefuses(t *testing.T) {
	for _, row := range []struct{ vendor, script, want string }{
		{"slack", `[{"status": 503}, {"stat": 503}]`, `step 2: json: unknown field "stat"`},
		{"slack", `{"status": 503}`, "give a JSON list of steps"},
		{"slack", `[{"status": 503}] and more`, "give a JSON list of steps"},
		{"webhook", `[{"status": 503}, {"status": 99}]`, "step 2: status: 99 is none of an answer; give 200 to 599"},
		{"pagerduty", `[{"path": "incidents", "status": 500}]`, "step 1: path: \"incidents\" is no path of a request; begin it with /"},
		{"sentinelone", `[{"body": "sorry"}]`, "step 1: status: is missing"},
		{"smtp", `[{"phase": "data", "code": 451}, {"phase": "date"}]`, "step 2: phase: \"date\" is none; give one of [connect tls ehlo auth mail rcpt data]"},
		{"smtp", `[{"phase": "data", "code": 250}]`, "step 1: code: 250 refuses nothing; give 400 to 599"},
		{"smtp", `[{"phase": "tls", "code": 500}]`, "step 1: code: is not for tls"},
		{"smtp", `[{"phase": "rcpt", "apply": true}]`, "step 1: apply: is for data only"},
	} {
		t.Run(row.vendor+" "+row.script, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "faults.json")
			if err := os.WriteFile(script, []byte(row.script), 0o600); err != nil {
				t.Fatal(err)
			}
			err := (&Fake{Vendor: row.vendor, Listen: "127.0.0.1:0", Script: script}).Run(t.Context(), streams{nil, io.Discard, io.Discard})
			if err == nil || !strings.Contains(err.Error(), "--script "+script) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %s", err, row.want)
			}
		})
	}
}
