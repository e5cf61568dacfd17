package slack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	workspace "tocsin/fake/slack"
)

const token = "xoxb-token-of-the-exam"

var secrets = map[string]dispatch.Secret{"botToken": token}

// vendor is a workspace with as many channels as the exam has deliveries at once.
func vendor() http.Handler {
	o := workspace.Options{Token: token}
	for n := range 200 {
		o.Channels = append(o.Channels, workspace.Channel{ID: fmt.Sprintf("C%08d", n), Name: fmt.Sprintf("alerts-%d", n), Member: true})
	}
	return workspace.New(o)
}

func TestExam(t *testing.T) {
	exam.Sit(t, exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"apiUrl": "` + address + `/api"}` },
		Secrets:  secrets,
		Config:   func(n int) string { return fmt.Sprintf(`{"channel": "#alerts-%d"}`, n) },
		Vendor:   vendor,
		ID: func(_ *http.Request, body []byte) string {
			form, _ := url.ParseQuery(string(body))
			return form.Get("metadata")
		},
		RateLimitWait: pause,
		Answers:       answers(t),
		Refused: []exam.Refusal{
			{Name: "no token", Settings: `{}`, Field: "secrets.botToken"},
			{Name: "token of a person", Settings: `{}`, Secrets: map[string]dispatch.Secret{"botToken": "xoxp-1234-5678"}, Field: "secrets.botToken"},
			{Name: "line break", Settings: `{}`, Secrets: map[string]dispatch.Secret{"botToken": "xoxb-1234\n"}, Field: "secrets.botToken"},
			{Name: "address", Settings: `{"apiUrl": "slack.com"}`, Secrets: secrets, Field: "settings.apiUrl"},
		},
	})
}

// answers are the errors of the contract, each with the outcome of its class,
// and the answers that are none.
func answers(t *testing.T) []exam.Answer {
	t.Helper()
	out := []exam.Answer{
		{Name: "no reason", Status: 200, Body: `{"ok":false}`, Want: dispatch.OutcomeDeferred},
		{Name: "empty", Status: 200, Want: dispatch.OutcomeUncertain, Says: "settings.apiUrl"},
		{Name: "page", Status: 200, Body: "<html>Welcome to the hotel</html>", Want: dispatch.OutcomeUncertain},
		{Name: "other JSON", Status: 200, Body: `{"status":"success"}`, Want: dispatch.OutcomeUncertain},
		{Name: "other types", Status: 200, Body: `{"ok":true,"channel":7,"ts":{}}`, Want: dispatch.OutcomeUncertain},
		{Name: "no place", Status: 200, Body: `{"ok":true}`, Want: dispatch.OutcomeUncertain},
		{Name: "unknown error", Status: 200, Body: `{"ok":false,"error":"something_new"}`, Want: dispatch.OutcomeRefused, Says: "something_new"},
		{Name: "429 with time", Status: 429, Header: map[string]string{"Retry-After": "11"}, Want: dispatch.OutcomeDeferred, Wait: 11 * time.Second},
		{Name: "429 with text", Status: 429, Header: map[string]string{"Retry-After": "a while"}, Want: dispatch.OutcomeDeferred, Wait: pause},
		{Name: "429 alone", Status: 429, Want: dispatch.OutcomeDeferred, Wait: pause},
		{
			Name: "rate limit with 200", Status: 200, Header: map[string]string{"Retry-After": "11"},
			Body: `{"ok":false,"error":"rate_limited"}`, Want: dispatch.OutcomeDeferred, Wait: 11 * time.Second,
		},
		{Name: "outage", Status: 503, Body: workspace.Outage().Body, Header: workspace.Outage().Headers, Want: dispatch.OutcomeDeferred},
		{
			Name: "scope", Status: 200, Body: `{"ok":false,"error":"missing_scope","needed":"chat:write.public","provided":"chat:write"}`,
			Want: dispatch.OutcomeMisconfigured, Says: "chat:write.public",
		},
	}
	text, err := os.ReadFile("testdata/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var classes map[string][]string
	if err := json.Unmarshal(text, &classes); err != nil {
		t.Fatal(err)
	}
	for class, codes := range classes {
		for _, code := range codes {
			a := exam.Answer{Name: code, Status: 200, Body: workspace.Failure(code).Body, Says: code}
			switch class {
			case "credential":
				a.Want = dispatch.OutcomeMisconfigured
			case "configuration", "message", "gone":
				a.Want = dispatch.OutcomeRefused
			case "rate":
				a.Want, a.Wait = dispatch.OutcomeDeferred, pause
			case "transient":
				a.Want = dispatch.OutcomeDeferred
			case "perhaps done":
				a.Want = dispatch.OutcomeUncertain
			}
			out = append(out, a)
		}
	}
	return out
}

// TestChannelErrors name a remedy, as the fake workspace gives them.
func TestChannelErrors(t *testing.T) {
	for channel, says := range map[string]string{
		"#no-such": "channel_not_found: give another channel", "#not-joined": "invite the bot", "#old": "unarchive it",
	} {
		out := opened(t, workspace.New(workspace.Options{Token: token})).Deliver(t.Context(), config(exam.Parcel(1), channel))
		if out.Kind() != dispatch.OutcomeRefused || !strings.Contains(out.Err().Error(), says) {
			t.Errorf("%s: %v %v, want it to say %q", channel, out.Kind(), out.Err(), says)
		}
	}
}

// TestTest logs in, names the workspace, and misses a scope before a message does.
func TestTest(t *testing.T) {
	w := workspace.New(workspace.Options{Token: token})
	out := opened(t, w).(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || !strings.Contains(out.Exchange().Response, "Acme as tocsin") || len(w.Messages()) > 0 {
		t.Errorf("outcome %v %v, says %q", out.Kind(), out.Err(), out.Exchange().Response)
	}
	w = workspace.New(workspace.Options{Token: token, Scopes: []string{"users:read"}})
	out = opened(t, w).(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "chat:write") {
		t.Errorf("without the scope: %v %v", out.Kind(), out.Err())
	}
	w = workspace.New(workspace.Options{Token: "xoxb-another"})
	out = opened(t, w).(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "secrets.botToken") {
		t.Errorf("with a wrong token: %v %v", out.Kind(), out.Err())
	}
}

// TestAnswerCutShort: Slack's answer is its body, so half of one leaves it open.
func TestAnswerCutShort(t *testing.T) {
	half := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"ok":true,"ch`)
	})
	out := opened(t, half).Deliver(t.Context(), config(exam.Parcel(1), "#alerts"))
	if out.Kind() != dispatch.OutcomeUncertain {
		t.Errorf("outcome %v %v", out.Kind(), out.Err())
	}
}

// TestPostedThoughError: a message that is there in spite of an error leaves it
// open, and the user's choice says what then.
func TestPostedThoughError(t *testing.T) {
	w := workspace.New(workspace.Options{Token: token})
	step := workspace.Failure("internal_error")
	step.Apply = true
	w.Play(step, fake.Step{Apply: true, Reset: true})
	m := opened(t, w)
	for range 2 {
		if out := m.Deliver(t.Context(), config(exam.Parcel(1), "#alerts")); out.Kind() != dispatch.OutcomeUncertain {
			t.Errorf("outcome %v %v", out.Kind(), out.Err())
		}
	}
	if n := len(w.Messages()); n != 2 {
		t.Errorf("%d messages", n)
	}
	for choice, want := range map[string]dispatch.UncertainPolicy{`{}`: dispatch.Resend, `{"onUncertain": "PARK"}`: dispatch.Park} {
		filled, problems := dispatch.Fill(Kind().ConfigSettings, dispatch.JSON(choice), nil)
		if got := filled.(dispatch.Doubter).OnUncertain(); problems != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", choice, got, want, problems)
		}
	}
}

func config(p dispatch.Parcel, channel string) dispatch.Parcel {
	p.Settings = &ConfigSettings{Channel: channel, Text: p.Alert.Summary, Uncertain: dispatch.Resend}
	return p
}

func opened(t *testing.T, vendor http.Handler) dispatch.Messenger {
	t.Helper()
	server := httptest.NewServer(vendor)
	t.Cleanup(server.Close)
	filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(`{"apiUrl": "`+server.URL+`/api/"}`), secrets)
	if problems != nil {
		t.Fatal(problems)
	}
	m, err := Kind().Open(filled, dispatch.World{HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
