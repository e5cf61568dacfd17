package pagerduty

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	account "tocsin/fake/pagerduty"
)

const (
	key   = "0123456789abcdef0123456789abcdef"
	token = "u+token-of-the-exam"
)

var secrets = map[string]dispatch.Secret{"integrationKey": key, "token": token}

func vendor() http.Handler { return account.New(account.Options{APIKey: token}) }

func TestExam(t *testing.T) {
	exam.Sit(t, exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"eventsUrl": "` + address + `/", "apiUrl": "` + address + `"}` },
		Secrets:  secrets,
		Config: func(int) string {
			return `{"component": "{{.Alert.Key}}", "group": "{{.Alert.Source}}", "class": "{{.Alert.Behavior}}"}`
		},
		Vendor: vendor,
		ID: func(_ *http.Request, body []byte) string {
			var e account.Event
			_ = json.Unmarshal(body, &e)
			return e.DedupKey
		},
		RateLimitWait: pause,
		Answers: []exam.Answer{
			said400("blank source", `["'payload.source' is missing or blank"]`, dispatch.OutcomeRefused, "'payload.source' is missing or blank"),
			said400("two faults", `["one", "two"]`, dispatch.OutcomeRefused, "one, two"),
			said400("errors as a text", `"one text"`, dispatch.OutcomeRefused, "one text"),
			said400("errors as an object", `{"summary": ["is bad"]}`, dispatch.OutcomeRefused, "is bad"),
			said400("no errors", `null`, dispatch.OutcomeRefused, "Event object is invalid"),
			said400("key", `["Length of 'routing_key' is incorrect (should be 32 characters)"]`, dispatch.OutcomeMisconfigured, "secrets.integrationKey"),
			{Name: "text", Status: 400, Body: "what?", Want: dispatch.OutcomeRefused, Says: "what?"},
			{Name: "page", Status: 200, Body: "<html>Welcome to the hotel</html>", Want: dispatch.OutcomeUncertain, Says: "settings.eventsUrl"},
			{Name: "empty", Status: 202, Want: dispatch.OutcomeUncertain},
			{Name: "other JSON", Status: 202, Body: `{"ok":true}`, Want: dispatch.OutcomeUncertain},
			{Name: "429 with time", Status: 429, Header: map[string]string{"Retry-After": "60"}, Want: dispatch.OutcomeDeferred, Wait: time.Minute},
			{Name: "429 of the REST API", Status: 429, Header: map[string]string{"ratelimit-reset": "12"}, Want: dispatch.OutcomeDeferred, Wait: 12 * time.Second},
			{Name: "429 alone", Status: 429, Body: `{"error":{"message":"Rate Limit Exceeded","code":2020}}`, Want: dispatch.OutcomeDeferred, Wait: pause},
		},
		Refused: []exam.Refusal{
			{Name: "no key", Settings: `{}`, Field: "secrets.integrationKey"},
			refused("short key", `{}`, key[1:], "", "secrets.integrationKey"),
			refused("key with a space", `{}`, key[1:]+" ", "", "secrets.integrationKey"),
			refused("token with a line break", `{}`, key, "u+token\r\nX-Evil: 1", "secrets.token"),
			refused("address as a user", `{"from": "Jane <jane@example.com>"}`, key, "", "settings.from"),
			refused("user with a line break", `{"from": "jane@example.com\r\nX-Evil: 1"}`, key, "", "settings.from"),
			refused("service as a path", `{"serviceId": "../users"}`, key, "", "settings.serviceId"),
			{Name: "webhook secret", Settings: `{}`, Secrets: map[string]dispatch.Secret{"integrationKey": key, "webhookSecret": "not-ascii-ü"}, Field: "secrets.webhookSecret"},
			refused("events address", `{"eventsUrl": "events.pagerduty.com"}`, key, "", "settings.eventsUrl"),
			refused("REST address", `{"apiUrl": "file:///etc"}`, key, "", "settings.apiUrl"),
		},
	})
}

func said400(name, faults string, want dispatch.OutcomeKind, says string) exam.Answer {
	return exam.Answer{
		Name: name, Status: 400, Header: map[string]string{"Content-Type": "application/json"}, Want: want, Says: says,
		Body: `{"status":"invalid event","message":"Event object is invalid","errors":` + faults + `}`,
	}
}

func refused(name, settings, key, token, field string) exam.Refusal {
	given := map[string]dispatch.Secret{"integrationKey": dispatch.Secret(key), "token": dispatch.Secret(token)}
	return exam.Refusal{Name: name, Settings: settings, Secrets: given, Field: field}
}

// TestGolden compares the event that PagerDuty gets, and what the outcome keeps of it.
func TestGolden(t *testing.T) {
	a := account.New(account.Options{})
	out := opened(t, a, secrets).Deliver(t.Context(), config(exam.Parcel(1)))
	if out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	if want := "srv-1:" + exam.Parcel(1).Ticket.ID; out.Ref().ID != want {
		t.Errorf("ref %q, want the dedup key %q", out.Ref().ID, want)
	}
	exam.Golden(t, "testdata/request.json", a.Requests.All()[0].Body)
}

// TestDedupKey: alerts of one ticket are one alert there; without a ticket each
// is its own; a test never joins any.
func TestDedupKey(t *testing.T) {
	second := exam.Parcel(2)
	second.Ticket = exam.Parcel(1).Ticket
	alone := exam.Parcel(3)
	alone.Ticket = nil
	test := exam.Parcel(1)
	test.Test, test.DeliveryID = true, "dlv_test"
	a := account.New(account.Options{})
	m := opened(t, a, secrets)
	for _, p := range []dispatch.Parcel{exam.Parcel(1), second, alone, test} {
		if out := m.Deliver(t.Context(), config(p)); out.Kind() != dispatch.OutcomeDelivered {
			t.Fatal(out.Err())
		}
	}
	var keys []string
	events := 0
	for _, i := range a.Incidents() {
		keys = append(keys, i.Alerts[0].DedupKey)
		events += i.Alerts[0].Events
	}
	want := "srv-1:" + second.Ticket.ID + " srv-1:" + alone.Alert.ID + " srv-1:test:dlv_test"
	if got := strings.Join(keys, " "); got != want || events != 4 {
		t.Errorf("%d events on the alerts %s, want 4 on %s", events, got, want)
	}
	long := dedupKey(strings.Repeat("x", 300), exam.Parcel(1))
	if len(long) != maxKey || !strings.HasSuffix(long, second.Ticket.ID) {
		t.Errorf("long key %q", long)
	}
}

// TestLimits: a summary that is too long is cut visibly, details that are too
// large are replaced by a note, and the alert goes out.
func TestLimits(t *testing.T) {
	p := exam.Parcel(1)
	p.Alert.Summary = strings.Repeat("ä", 2_000)
	p.Alert.Attributes = dispatch.JSON(`{"blob": "` + strings.Repeat("x", 511_000) + `"}`)
	a := account.New(account.Options{})
	if out := opened(t, a, secrets).Deliver(t.Context(), config(p)); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	got := a.Incidents()[0].Alerts[0].Payload
	if n := utf8.RuneCountInString(got.Summary); n != maxSummary || !strings.HasSuffix(got.Summary, "[cut]") {
		t.Errorf("summary of %d characters ends in %q", n, got.Summary[len(got.Summary)-20:])
	}
	if !strings.Contains(string(got.Details), "the details are left out") {
		t.Errorf("details %.200s", got.Details)
	}
}

// TestSeverities: every severity of ours is one of PagerDuty's four.
func TestSeverities(t *testing.T) {
	want := map[dispatch.Severity]string{
		dispatch.Info: "info", dispatch.Low: "info", dispatch.Medium: "warning", dispatch.High: "error", dispatch.Critical: "critical",
	}
	for _, s := range dispatch.Severities {
		p := exam.Parcel(1)
		p.Alert.Severity = s
		a := account.New(account.Options{})
		if out := opened(t, a, secrets).Deliver(t.Context(), config(p)); out.Kind() != dispatch.OutcomeDelivered {
			t.Fatal(out.Err())
		}
		if got := a.Incidents()[0].Alerts[0].Payload.Severity; got != want[s] {
			t.Errorf("%s became %s, want %s", s, got, want[s])
		}
	}
}

// TestTest asks with a token, and says what it cannot know without one.
func TestTest(t *testing.T) {
	a := account.New(account.Options{APIKey: token})
	out := opened(t, a, secrets).(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || !strings.Contains(out.Exchange().Response, "Logged in") || len(a.Incidents()) > 0 {
		t.Errorf("outcome %v %v, says %q", out.Kind(), out.Err(), out.Exchange().Response)
	}
	without := map[string]dispatch.Secret{"integrationKey": key}
	out = opened(t, a, without).(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || !strings.Contains(out.Exchange().Response, "shows only when an alert is sent") {
		t.Errorf("without a token: %v %v, says %q", out.Kind(), out.Err(), out.Exchange().Response)
	}
	if n := len(a.Requests.All()); n != 1 {
		t.Errorf("%d requests, want one", n)
	}
	for _, row := range []struct {
		step fake.Step
		want dispatch.OutcomeKind
	}{
		{fake.Step{Status: 401, Body: `{"error":{"message":"Authentication failed"}}`}, dispatch.OutcomeMisconfigured},
		{fake.Step{Status: 403}, dispatch.OutcomeMisconfigured},
		{fake.Step{Status: 500}, dispatch.OutcomeDeferred},
		{fake.Step{Status: 200, Body: "<html>"}, dispatch.OutcomeRefused},
	} {
		a.Play(row.step)
		if out := opened(t, a, secrets).(dispatch.Tester).Test(t.Context()); out.Kind() != row.want {
			t.Errorf("%d: %v %v, want %v", row.step.Status, out.Kind(), out.Err(), row.want)
		}
	}
}

func config(p dispatch.Parcel) dispatch.Parcel {
	p.Settings = &ConfigSettings{Summary: p.Alert.Summary, Source: "tocsin", Component: "vpn", Group: "edge", Class: "login"}
	return p
}

func opened(t *testing.T, vendor http.Handler, secrets map[string]dispatch.Secret) dispatch.Messenger {
	t.Helper()
	return openedWith(t, vendor, "", secrets)
}
