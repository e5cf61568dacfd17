package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const dryRunAnswer = `{"data": {"dryRun": {"wouldOpenTicket": false, "wouldJoinTicket": {"number": 42, "title": "Sign-in of \"root\"", "status": "OPEN"}, "userErrors": [],
"decisions": [
	{"actionName": "Page", "verdict": "FIRED", "reason": "the action applies and its condition is true", "problems": ["the lambda Old failed and was passed over: line 1, column 2: no\n  x\n   ^"],
	 "condition": [{"expression": "alert.severity == \"LOW\"", "values": {"alert.severity": "LOW"}, "result": true}, {"expression": "alert.riskScore > 50", "values": {}, "result": null}],
	 "lambdas": [{"name": "Admins", "version": 3, "changed": true, "difference": {"severity": {"from": "LOW", "to": "CRITICAL"}, "attributes": {"from": {}, "to": {"team": "blue"}}}, "logs": ["looked at \u001b[31mroot"], "error": null},
		{"name": "Old", "version": 1, "changed": false, "difference": null, "logs": [], "error": "line 1, column 2: no\n  x\n   ^"}],
	 "requests": [{"apiConfigName": "On call", "request": {"method": "POST", "body": {"text": "NOW"}}, "problem": null}, {"apiConfigName": "Chat", "request": {}, "problem": "the actor cannot be used"}]},
	{"actionName": "Chat", "verdict": "HELD_BY_RENOTIFY", "reason": "the alert joins T-42 and the action notifies once a ticket", "problems": [], "condition": [], "lambdas": [], "requests": []},
	{"actionName": "New", "verdict": "TO_COME", "reason": "who knows", "problems": [], "condition": [], "lambdas": [], "requests": []}
]}}}`

const dryRunTold = `The alert would join T-42, which is OPEN: Sign-in of "root"

Page would fire (FIRED): the action applies and its condition is true.
  problem: the lambda Old failed and was passed over: line 1, column 2: no
      x
       ^
  clause true: alert.severity == "LOW"  with {"alert.severity": "LOW"}
  clause not looked at: alert.riskScore > 50
  lambda Admins, version 3
    log: looked at  [31mroot
    changed severity: "LOW" → "CRITICAL"
    changed attributes: {} → {"team": "blue"}
  lambda Old, version 1
    error: line 1, column 2: no
      x
       ^
  request through On call: {"method": "POST", "body": {"text": "NOW"}}
  request through Chat: nothing
    problem: the actor cannot be used

Chat would hold back (HELD_BY_RENOTIFY): the alert joins T-42 and the action notifies once a ticket.

New is decided (TO_COME): who knows.
`

// answering is a server that always says the same, and keeps what it was asked.
type answering struct {
	status int
	text   string
	asked  []byte
}

func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.asked, _ = io.ReadAll(r.Body)
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.text)
}

func dryRun(t *testing.T, a *answering, alert string, asJSON bool) (code int, out, said string) {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	d := DryRun{Server: Server{URL: server.URL, TokenFile: tokenFile(t)}, Alert: written(t, map[string]string{"alert.json": alert})("alert.json"), JSON: asJSON}
	var printed bytes.Buffer
	err := d.Run(t.Context(), IO{Out: &printed, Err: io.Discard})
	if err != nil {
		said = err.Error()
	}
	if strings.Contains(printed.String()+said, secret) {
		t.Error("the token is told")
	}
	return codeOf(err), printed.String(), said
}

const someAlert = `{"behaviorModel": "Sign-in", "summary": "Sign-in of root", "attributes": {"n": 12345678901234567890}}`

// TestDryRun: the alert goes to the server as it is, and what it answers is
// told in words.
func TestDryRun(t *testing.T) {
	a := &answering{status: http.StatusOK, text: dryRunAnswer}
	code, out, said := dryRun(t, a, someAlert, false)
	if diff := cmp.Diff(dryRunTold, out); diff != "" || code != 0 {
		t.Errorf("ended with %d, said %s, printed (-want +got):\n%s", code, said, diff)
	}
	var asked struct {
		Query     string
		Variables struct {
			Input struct{ Alert map[string]json.RawMessage }
		}
	}
	if err := json.Unmarshal(a.asked, &asked); err != nil {
		t.Fatal(err)
	}
	if alert := asked.Variables.Input.Alert; !strings.Contains(asked.Query, "dryRun(") || string(alert["attributes"]) != `{"n":12345678901234567890}` || string(alert["summary"]) != `"Sign-in of root"` {
		t.Errorf("it asked %s", a.asked)
	}
}

// TestDryRunAsJSON: all that the server said, and nothing that a terminal obeys.
func TestDryRunAsJSON(t *testing.T) {
	code, out, _ := dryRun(t, &answering{status: http.StatusOK, text: dryRunAnswer}, someAlert, true)
	var want struct{ Data struct{ DryRun any } }
	var got any
	if err := json.Unmarshal([]byte(dryRunAnswer), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("ended with %d, printed %s", code, out)
	}
	if diff := cmp.Diff(want.Data.DryRun, got); diff != "" || strings.Contains(out, "\x1b") {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

// TestDryRunEnds: how each run ends that tells nothing.
func TestDryRunEnds(t *testing.T) {
	for _, row := range []struct {
		name, alert string
		status      int
		answer      string
		code        int
		said        string
	}{
		{"no object", `[]`, 200, dryRunAnswer, 2, "--alert: "},
		{"a misspelt field", `{"behaviorModel": "m", "sumarry": "s"}`, 200, dryRunAnswer, 2, `"sumarry": is not a field of an alert`},
		{"no summary", `{"behaviorModel": "m"}`, 200, dryRunAnswer, 2, "summary: is missing"},
		{"refused", someAlert, 200, `{"data": {"dryRun": {"decisions": [], "userErrors": [{"message": "alert.link is not a web address", "path": ["input", "alert", "link"]}]}}}`, 1, "does not take the alert: alert.link is not a web address"},
		{"no scope", someAlert, 200, `{"data": {"dryRun": null}, "errors": [{"message": "no", "extensions": {"code": "FORBIDDEN"}}]}`, 1, "use one with the scope READ"},
		{"away", someAlert, 503, ``, 1, "503"},
		{"no result", someAlert, 200, `{"data": {"dryRun": null}}`, 1, "without a result"},
		{"somebody else", someAlert, 200, `hello`, 1, "check --server"},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, out, said := dryRun(t, &answering{status: row.status, text: row.answer}, row.alert, false)
			if code != row.code || out != "" || !strings.Contains(said, row.said) {
				t.Errorf("ended with %d, printed %q, said %s", code, out, said)
			}
		})
	}
}

// TestDryRunOfNothing: no action, no ticket.
func TestDryRunOfNothing(t *testing.T) {
	_, out, _ := dryRun(t, &answering{status: http.StatusOK, text: `{"data": {"dryRun": {"wouldOpenTicket": false, "wouldJoinTicket": null, "decisions": [], "userErrors": []}}}`}, someAlert, false)
	if out != "The alert would have no ticket.\nNo action applies to its behavior model.\n" {
		t.Errorf("printed %s", out)
	}
	_, out, _ = dryRun(t, &answering{status: http.StatusOK, text: `{"data": {"dryRun": {"wouldOpenTicket": true, "decisions": [], "userErrors": []}}}`}, someAlert, false)
	if !strings.HasPrefix(out, "The alert would open a ticket.\n") {
		t.Errorf("printed %s", out)
	}
}
