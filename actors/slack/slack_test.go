package slack

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	workspace "tocsin/fake/slack"
)

const token = "xoxb-token-of-the-exam"

const (
	appToken      = "xapp-token-of-the-exam"
	signingSecret = "9a102231b10e8888abcd99yyyzzz85a5"
)

var secrets = map[string]dispatch.Secret{"botToken": token, "signingSecret": signingSecret, "appToken": appToken}

// acme is a workspace whose app this actor is.
func acme(change func(*workspace.Options)) *workspace.Workspace {
	o := workspace.Options{Token: token, AppToken: appToken, SigningSecret: signingSecret}
	if change != nil {
		change(&o)
	}
	return workspace.New(o)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
			{Name: "signing secret", Settings: `{}`, Secrets: map[string]dispatch.Secret{"botToken": token, "signingSecret": "8f74 2231"}, Field: "secrets.signingSecret"},
			{Name: "app token", Settings: `{}`, Secrets: map[string]dispatch.Secret{"botToken": token, "appToken": "xoxb-1234"}, Field: "secrets.appToken"},
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
	var classes map[string][]string
	readJSON(t, "testdata/errors.json", &classes)
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
		out := opened(t, acme(nil)).Deliver(t.Context(), config(exam.Parcel(1), channel))
		if out.Kind() != dispatch.OutcomeRefused || !strings.Contains(out.Err().Error(), says) {
			t.Errorf("%s: %v %v, want it to say %q", channel, out.Kind(), out.Err(), says)
		}
	}
}

// TestTest logs in, names the workspace, and misses a scope before a message does.
func TestTest(t *testing.T) {
	w := acme(nil)
	out := opened(t, w).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || !strings.Contains(out.Exchange().Response, "Acme as tocsin") || len(w.Messages()) > 0 {
		t.Errorf("outcome %v %v, says %q", out.Kind(), out.Err(), out.Exchange().Response)
	}
	w = acme(func(o *workspace.Options) { o.Scopes = []string{"users:read"} })
	out = opened(t, w).Test(t.Context())
	if out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "chat:write") {
		t.Errorf("without the scope: %v %v", out.Kind(), out.Err())
	}
	w = acme(func(o *workspace.Options) { o.Token = "xoxb-another" })
	out = opened(t, w).Test(t.Context())
	if out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "secrets.botToken") {
		t.Errorf("with a wrong token: %v %v", out.Kind(), out.Err())
	}
	w = acme(func(o *workspace.Options) { o.AppToken = "xapp-another" })
	out = opened(t, w).Test(t.Context())
	if out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "secrets.appToken") {
		t.Errorf("with a wrong token for Socket Mode: %v %v", out.Kind(), out.Err())
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
	w := acme(nil)
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

// opened is a messenger of a vendor. What it asked a workspace for is compared
// with Slack's own list of arguments at the end.
func opened(t *testing.T, vendor http.Handler) *messenger {
	t.Helper()
	return openedWith(t, vendor, secrets)
}

func openedWith(t *testing.T, vendor http.Handler, secrets map[string]dispatch.Secret) *messenger {
	t.Helper()
	server := httptest.NewServer(vendor)
	t.Cleanup(server.Close)
	if w, ok := vendor.(*workspace.Workspace); ok {
		t.Cleanup(func() {
			conforms(t, w)
			_ = w.Close()
		})
	}
	var dialer net.Dialer
	return openedIn(t, dispatch.World{HTTP: server.Client(), Dial: dialer.DialContext}, server.URL, secrets)
}

func openedIn(t *testing.T, world dispatch.World, address string, secrets map[string]dispatch.Secret) *messenger {
	t.Helper()
	filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(`{"apiUrl": "`+address+`/api/"}`), secrets)
	if problems != nil {
		t.Fatal(problems)
	}
	m, err := Kind().Open(filled, world)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*messenger)
}

// conforms compares every request with the arguments that Slack's methods take.
func conforms(t *testing.T, w *workspace.Workspace) {
	t.Helper()
	var slackSays struct {
		Methods map[string]struct{ Required, Known []string }
	}
	readJSON(t, "testdata/methods.json", &slackSays)
	for _, r := range w.Requests.All() {
		name := strings.TrimPrefix(r.URL.Path, "/api/")
		method, known := slackSays.Methods[name]
		form, err := url.ParseQuery(string(r.Body))
		if !known || err != nil {
			t.Errorf("%s: not a method, or not a form: %v", name, err)
		}
		for argument := range form {
			if !slices.Contains(method.Known, argument) {
				t.Errorf("%s has no argument %s", name, argument)
			}
		}
		for _, argument := range method.Required {
			if !form.Has(argument) && (argument != "token" || r.Header.Get("Authorization") == "") {
				t.Errorf("%s needs the argument %s", name, argument)
			}
		}
	}
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
