package servicenow

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	instance "tocsin/fake/servicenow"
)

const (
	password = "password-of-the-exam"
	secret   = "whsec_c2VjcmV0LW9mLXRoZS1leGFtLXdpdGgtMzItYnl0ZXM="
	incident = "/api/now/table/incident"
)

func secrets() map[string]dispatch.Secret {
	return map[string]dispatch.Secret{"password": password, "webhookSecret": secret}
}

func TestExam(t *testing.T) {
	exam.Sit(t, exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"url": "` + address + `/", "username": "tocsin"}` },
		Secrets:  secrets(),
		Config:   func(int) string { return `{"fields": {"caller_id": "tocsin"}}` },
		Vendor:   func() http.Handler { return instance.New(instance.Options{Password: password}) },
		ID: func(r *http.Request, body []byte) string {
			var columns map[string]string
			if json.Unmarshal(body, &columns) == nil {
				return columns[columnCorrelation]
			}
			id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Query().Get("sysparm_query"), columnCorrelation+"="), "^")
			return id
		},
		RateLimitWait: pause,
		Answers: []exam.Answer{
			{Name: "bad password", Status: 401, Body: `{"error":{"message":"User Not Authenticated","detail":"Required to provide Auth information"},"status":"failure"}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.password"},
			{Name: "missing role", Status: 403, Body: `{"error":{"message":"Operation Failed","detail":"ACL Exception Insert Failed due to security constraints"},"status":"failure"}`, Want: dispatch.OutcomeRefused, Says: "role itil"},
			{Name: "data policy", Status: 403, Body: `{"error":{"message":"Operation Failed","detail":"Data Policy Exception: The following fields are mandatory: Caller"},"status":"failure"}`, Want: dispatch.OutcomeRefused, Says: "mandatory: Caller; give what is mandatory there by settings.closeCode"},
			{Name: "no such table", Status: 400, Body: `{"error":{"message":"Invalid table incidents","detail":null},"status":"failure"}`, Want: dispatch.OutcomeRefused, Says: "Invalid table incidents"},
			{Name: "not the API", Status: 404, Body: "<html>nothing here</html>", Want: dispatch.OutcomeRefused, Says: "settings.url"},
			{Name: "hibernating", Status: 200, Body: "<html><title>Instance Hibernating page</title></html>", Want: dispatch.OutcomeDeferred, Wait: pause, Says: "hibernates"},
			{Name: "login page", Status: 200, Body: "<!doctype html><title>Login</title>", Want: dispatch.OutcomeMisconfigured, Says: "settings.url"},
			{Name: "canceled within a 200", Status: 200, Body: `{"result":{},"error":{"message":"Transaction cancelled: maximum execution time exceeded"},"status":"failure"}`, Want: dispatch.OutcomeDeferred, Says: "maximum execution time"},
			{Name: "empty", Status: 200, Want: dispatch.OutcomeDeferred},
			{Name: "no record", Status: 201, Body: `{"result":{}}`, Want: dispatch.OutcomeDeferred, Says: "no record"},
			{Name: "429 with time", Status: 429, Header: map[string]string{"Retry-After": "9"}, Want: dispatch.OutcomeDeferred, Wait: 9 * time.Second},
			{Name: "429 alone", Status: 429, Want: dispatch.OutcomeDeferred, Wait: pause},
		},
		Refused: []exam.Refusal{
			refusal("no address", `{"url": "t.example.com", "username": "u"}`, secrets(), "settings.url"),
			refusal("path", `{"url": "https://t.example.com/api/now", "username": "u"}`, secrets(), "settings.url"),
			refusal("no password", `{"url": "https://t.example.com", "username": "u"}`, nil, "secrets.password"),
			refusal("no user", `{"url": "https://t.example.com"}`, secrets(), "settings.username"),
			refusal("query in the user", `{"url": "https://t.example.com", "username": "u^active=true"}`, secrets(), "settings.username"),
			refusal("query in the table", `{"url": "https://t.example.com", "username": "u", "pollTable": "task?x"}`, secrets(), "settings.pollTable"),
			refusal("client without secret", `{"url": "https://t.example.com", "username": "u", "clientId": "c"}`, secrets(), "secrets.clientSecret"),
			refusal("secret without client", `{"url": "https://t.example.com"}`, map[string]dispatch.Secret{"clientSecret": "client-secret"}, "settings.clientId"),
			refusal("webhook secret", `{"url": "https://t.example.com", "username": "u"}`, map[string]dispatch.Secret{"password": password, "webhookSecret": "my own secret"}, "secrets.webhookSecret"),
		},
	})
}

func refusal(name, settings string, secrets map[string]dispatch.Secret, field string) exam.Refusal {
	return exam.Refusal{Name: name, Settings: settings, Secrets: secrets, Field: field}
}

// stage is a messenger and the instance that it talks to.
type stage struct {
	*messenger
	i *instance.Instance
}

// staged opens both; more are further settings of the actor.
func staged(t *testing.T, o instance.Options, more string) stage {
	t.Helper()
	return stagedWith(t, o, `, "username": "tocsin"`+more, secrets())
}

func stagedWith(t *testing.T, o instance.Options, settings string, secrets map[string]dispatch.Secret) stage {
	t.Helper()
	o.Password = password
	i := instance.New(o)
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(`{"url": "`+server.URL+`"`+settings+`}`), secrets)
	if problems != nil {
		t.Fatal(problems)
	}
	m, err := Kind().Open(filled, dispatch.World{HTTP: server.Client(), Instance: "srv-1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return stage{m.(*messenger), i}
}

// parcel is an alert with the default API config, rendered.
func parcel(t *testing.T, config string) dispatch.Parcel {
	t.Helper()
	p := exam.Parcel(1)
	p.Settings = rendered(t, config, p)
	return p
}

func rendered(t *testing.T, config string, p dispatch.Parcel) *ConfigSettings {
	t.Helper()
	text, problems := dispatch.RenderSettings(Kind().ConfigSettings, dispatch.JSON(config), p.Alert, p.Ticket, p.TicketURL)
	if problems != nil {
		t.Fatal(problems)
	}
	s, err := dispatch.Unpack(Kind().ConfigSettings, text)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*ConfigSettings)
}

func (s stage) deliver(t *testing.T, p dispatch.Parcel, want dispatch.OutcomeKind) dispatch.Outcome {
	t.Helper()
	out := s.Deliver(t.Context(), p)
	if out.Kind() != want {
		t.Fatalf("outcome %s (%v), want %s", out.Kind(), out.Err(), want)
	}
	return out
}

// writes counts the requests that change something.
func (s stage) writes() int {
	n := 0
	for _, r := range s.i.Requests.All() {
		if r.Method != http.MethodGet && r.URL.Path != tokenPath {
			n++
		}
	}
	return n
}

// TestTest logs in, reads the table and finds its own user.
func TestTest(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	if out := s.Test(t.Context()); out.Kind() != dispatch.OutcomeDelivered || !strings.Contains(out.Exchange().Response, "as tocsin; incident") {
		t.Errorf("%s %v, %s", out.Kind(), out.Err(), out.Exchange().Response)
	}
	if n := s.writes(); n != 0 {
		t.Errorf("a test wrote %d times", n)
	}
	s.settings.Password = "another password"
	if out := s.Test(t.Context()); out.Kind() != dispatch.OutcomeMisconfigured {
		t.Errorf("a wrong password: %s", out.Kind())
	}
	s.settings.Password = password
	s.i.Play(fake.Step{Path: "/api/now/table/sys_user", Status: 200, Body: `{"result":[]}`})
	if out := s.Test(t.Context()); out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "settings.username") {
		t.Errorf("a user that is not seen: %s %v", out.Kind(), out.Err())
	}
}

// TestOAuth: one token serves many calls; one that has ended is asked for again.
func TestOAuth(t *testing.T) {
	client := instance.Options{ClientID: "client", ClientSecret: "secret-of-the-client"}
	for name, row := range map[string]struct {
		settings string
		secrets  map[string]dispatch.Secret
		grant    string
	}{
		"password":           {`, "username": "tocsin", "clientId": "client"`, map[string]dispatch.Secret{"password": password, "clientSecret": "secret-of-the-client"}, "grant_type=password"},
		"client credentials": {`, "clientId": "client"`, map[string]dispatch.Secret{"clientSecret": "secret-of-the-client"}, "grant_type=client_credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stagedWith(t, client, row.settings, row.secrets)
			grants := func() (n int) {
				for _, r := range s.i.Requests.All() {
					if r.URL.Path == tokenPath {
						n++
						if !strings.Contains(string(r.Body), row.grant) || r.URL.RawQuery != "" {
							t.Errorf("asked for a token by %s", r.Body)
						}
					}
				}
				return n
			}
			for n := range 3 {
				out := s.deliver(t, parcel(t, `{}`), dispatch.OutcomeDelivered)
				if grants() != 1 {
					t.Errorf("after %d calls %d tokens were granted", n+1, grants())
				}
				if text := string(out.Exchange().Request) + out.Exchange().Response; strings.Contains(text, "token-") {
					t.Errorf("the record shows the token: %s", text)
				}
			}
			s.i.EndTokens()
			s.deliver(t, parcel(t, `{}`), dispatch.OutcomeDelivered)
			if grants() != 2 {
				t.Errorf("%d tokens were granted, want one more", grants())
			}
			s.i.Play(fake.Step{Path: incident, Status: 401, Times: -1})
			s.deliver(t, parcel(t, `{}`), dispatch.OutcomeMisconfigured)
			if grants() != 3 {
				t.Errorf("%d tokens were granted, want only one more for a client that is not let in", grants())
			}
		})
	}
}

// TestOAuthRefused: the client is named, no secret shows, and a lost answer is no
// reason to doubt the delivery.
func TestOAuthRefused(t *testing.T) {
	s := stagedWith(t, instance.Options{ClientID: "client", ClientSecret: "another"}, `, "clientId": "client"`, map[string]dispatch.Secret{"clientSecret": "secret-of-the-client"})
	out := s.deliver(t, parcel(t, `{}`), dispatch.OutcomeMisconfigured)
	if text := out.Err().Error(); !strings.Contains(text, "secrets.clientSecret") || !strings.Contains(text, "access_denied") {
		t.Errorf("error %s", text)
	}
	if strings.Contains(string(out.Exchange().Request), "secret-of-the-client") {
		t.Errorf("the record shows the secret: %s", out.Exchange().Request)
	}
	s.i.Play(fake.Step{Path: tokenPath, Reset: true}, fake.Step{Path: tokenPath, Status: 200, Body: `{"access_token": 5, "refresh_token": "refresh-me"}`})
	s.deliver(t, parcel(t, `{}`), dispatch.OutcomeDeferred)
	out = s.deliver(t, parcel(t, `{}`), dispatch.OutcomeDeferred)
	if strings.Contains(out.Exchange().Response, "refresh-me") {
		t.Errorf("the record shows the answer: %s", out.Exchange().Response)
	}
}
