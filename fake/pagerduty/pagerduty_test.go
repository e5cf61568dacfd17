package pagerduty_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pd "github.com/PagerDuty/go-pagerduty"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tocsin/fake"
	"tocsin/fake/pagerduty"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const routingKey = "0123456789abcdef0123456789abcdef"

func start(t *testing.T) (*pagerduty.Account, *http.Client) {
	t.Helper()
	a := pagerduty.New(pagerduty.Options{APIKey: "key-1"})
	if err := a.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(func() { tr.CloseIdleConnections(); _ = a.Close() })
	return a, &http.Client{Transport: tr}
}

func library(a *pagerduty.Account, c *http.Client, key string) *pd.Client {
	l := pd.NewClient(key, pd.WithAPIEndpoint(a.URL()), pd.WithV2EventsAPIEndpoint(a.URL()))
	l.HTTPClient = c
	return l
}

func file(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// enqueue sends a body and returns the status and the parsed answer.
func enqueue(t *testing.T, a *pagerduty.Account, c *http.Client, body string) (int, any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/v2/enqueue", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, parse(t, string(raw))
}

func parse(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

func TestAnswersAreThoseOfTheContract(t *testing.T) {
	a, c := start(t)
	trigger := file(t, "trigger.request")
	for name, test := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"trigger":       {trigger, 202, "202.response"},
		"acknowledge":   {file(t, "acknowledge.request"), 202, "202.response"},
		"no JSON":       {"{", 400, "400.bad-json.response"},
		"no source":     {strings.Replace(trigger, `"source": "db-01"`, `"source": " "`, 1), 400, "400.missing-source.response"},
		"short key":     {strings.Replace(trigger, routingKey, "123", 1), 400, "400.routing-key-length.response"},
		"long summary":  {strings.Replace(trigger, "CPU at 99%", strings.Repeat("é", 1025), 1), 400, "400.summary-too-long.response"},
		"just in limit": {strings.Replace(trigger, "CPU at 99% on db-01", strings.Repeat("é", 1024), 1), 202, "202.response"},
	} {
		status, answer := enqueue(t, a, c, test.body)
		if diff := cmp.Diff(parse(t, file(t, test.want)), answer); status != test.status || diff != "" {
			t.Errorf("%s: status %d, answer differs (-want +got):\n%s", name, status, diff)
		}
	}
}

func TestRefusesWhatIsNotWellFormed(t *testing.T) {
	a, c := start(t)
	trigger := file(t, "trigger.request")
	for name, body := range map[string]string{
		"severity":         strings.Replace(trigger, "critical", "Critical", 1),
		"action":           strings.Replace(trigger, `"trigger"`, `"close"`, 1),
		"long dedup key":   strings.Replace(trigger, "alert-dispatch", strings.Repeat("x", 256), 1),
		"resolve, no key":  strings.Replace(file(t, "resolve.request"), "dedup_key", "other", 1),
		"body over 512 KB": strings.Replace(trigger, "prod", strings.Repeat("x", 512_000), 1),
		"summary a number": strings.Replace(trigger, `"CPU at 99% on db-01"`, `99`, 1),
	} {
		if status, answer := enqueue(t, a, c, body); status != 400 {
			t.Errorf("%s: got %d %v", name, status, answer)
		}
	}
	if got := a.Incidents(); len(got) != 0 {
		t.Errorf("refused events opened %+v", got)
	}
}

func send(t *testing.T, l *pd.Client, action, key, dedup, summary string) string {
	t.Helper()
	e := &pd.V2Event{RoutingKey: key, Action: action, DedupKey: dedup}
	if action == "trigger" {
		e.Payload = &pd.V2Payload{Summary: summary, Source: "db-01", Severity: "error"}
	}
	resp, err := l.ManageEventWithContext(t.Context(), e)
	if err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	return resp.DedupKey
}

func TestLifeOfAnAlert(t *testing.T) {
	a, c := start(t)
	l := library(a, c, "key-1")
	send(t, l, "trigger", routingKey, "t-1", "first words")
	send(t, l, "trigger", routingKey, "t-1", "better words")
	send(t, l, "acknowledge", routingKey, "t-1", "")
	got := a.Incidents()
	if len(got) != 1 || got[0].Status != pagerduty.Acknowledged || len(got[0].Alerts) != 1 {
		t.Fatalf("one acknowledged incident expected: %+v", got)
	}
	if alert := got[0].Alerts[0]; alert.Payload.Summary != "better words" || alert.Events != 3 || alert.Status != pagerduty.Triggered {
		t.Errorf("alert: %+v", alert)
	}
	send(t, l, "resolve", routingKey, "t-1", "")
	send(t, l, "acknowledge", routingKey, "t-1", "") // dropped: nothing is open
	send(t, l, "trigger", routingKey, "t-1", "again")
	send(t, l, "resolve", strings.Repeat("f", 32), "t-1", "") // dropped: another routing key
	var states []string
	for _, i := range a.Incidents() {
		states = append(states, i.Status)
	}
	if diff := cmp.Diff([]string{pagerduty.Resolved, pagerduty.Triggered}, states); diff != "" {
		t.Errorf("incidents (-want +got):\n%s", diff)
	}
	if n := len(a.Dropped()); n != 2 {
		t.Errorf("%d events dropped, want 2", n)
	}
	if key := send(t, l, "trigger", routingKey, "", "no key"); key == "" || len(a.Incidents()) != 3 {
		t.Errorf("a trigger without a key: %q", key)
	}
}

func TestCheckOfTheKey(t *testing.T) {
	a, c := start(t)
	got, err := library(a, c, "key-1").ListAbilitiesWithContext(t.Context())
	if err != nil || len(got.Abilities) == 0 {
		t.Errorf("good key: %+v %v", got, err)
	}
	if _, err := library(a, c, "key-2").ListAbilitiesWithContext(t.Context()); err == nil || !strings.Contains(err.Error(), "2006") {
		t.Errorf("bad key: %v", err)
	}
}

func TestScriptedTrouble(t *testing.T) {
	a, c := start(t)
	a.Play(
		fake.Step{Path: "/v2/enqueue", Status: 429},
		fake.Step{Path: "/v2/enqueue", Status: 500, Body: "{}"},
		fake.Step{Path: "/v2/enqueue", Apply: true, Reset: true},
	)
	l := library(a, c, "key-1")
	e := &pd.V2Event{
		RoutingKey: routingKey, Action: "trigger", DedupKey: "t-1",
		Payload: &pd.V2Payload{Summary: "s", Source: "x", Severity: "info"},
	}
	for i, opened := range []int{0, 0, 1} {
		if _, err := l.ManageEventWithContext(t.Context(), e); err == nil {
			t.Errorf("try %d: no error", i+1)
		}
		if n := len(a.Incidents()); n != opened {
			t.Errorf("try %d: %d incidents, want %d", i+1, n, opened)
		}
	}
	if _, err := l.ManageEventWithContext(t.Context(), e); err != nil {
		t.Errorf("when it behaves again: %v", err)
	}
	if got := a.Incidents(); len(got) != 1 || got[0].Alerts[0].Events != 2 {
		t.Errorf("the repeat made something new: %+v", got)
	}
}
