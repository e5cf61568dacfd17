package peplink

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	incontrol "tocsin/fake/peplink"
)

const (
	secret = "secret-of-the-exam"
	token  = "token-of-the-exam"
)

// vendor has a device for each of the exam's tickets.
func vendor() http.Handler {
	c := incontrol.New(incontrol.Options{Token: token, ClientSecret: secret})
	var devices []incontrol.Device
	for n := range 200 {
		devices = append(devices, incontrol.Device{ID: 1000 + n, Name: fmt.Sprintf("T-%d", 1000+n), Clients: []incontrol.Client{{Name: "jdoe", MAC: "02:00:5E:10:00:42", IP: "192.0.2.42"}}})
	}
	c.AddGroup(3, "Branches", devices...)
	return c
}

func TestExam(t *testing.T) {
	ofDevice := regexp.MustCompile(`/d/([0-9]+)/devapi/status\.client$`)
	exam.Sit(t, exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"url": "` + address + `/", "organization": "aBcDeF"}` },
		Secrets:  map[string]dispatch.Secret{"token": token},
		Config:   func(int) string { return `{"client": "{{.Alert.Key}}", "group": "3", "device": "{{.Ticket.Number}}"}` },
		Vendor:   vendor,
		ID: func(r *http.Request, _ []byte) string {
			if found := ofDevice.FindStringSubmatch(r.URL.Path); found != nil {
				return found[1]
			}
			return ""
		},
		Crowd:         10, // each is three calls, and twenty a second are taken
		RateLimitWait: pause,
		Answers: []exam.Answer{
			{Name: "bad token", Status: 401, Body: `{"resp_code":"Unauthorized"}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.token"},
			{Name: "no right", Status: 403, Body: `{"resp_code":"NO_PRIVILEGE","message":"no privilege"}`, Want: dispatch.OutcomeRefused, Says: "NO_PRIVILEGE no privilege"},
			{Name: "too fast, old appliance", Status: 403, Body: `{"message":"rate limit exceeded"}`, Want: dispatch.OutcomeDeferred, Wait: pause},
			{Name: "too fast, new", Status: 429, Header: map[string]string{"Retry-After": "1"}, Body: `{}`, Want: dispatch.OutcomeDeferred, Wait: time.Second},
			{Name: "unknown organization", Status: 404, Body: `{"resp_code":"NOT_FOUND","message":"organization not found"}`, Want: dispatch.OutcomeRefused, Says: "settings.organization"},
			{Name: "failure in 200", Status: 200, Body: `{"resp_code":"INVALID_INPUT","message":"Invalid group"}`, Want: dispatch.OutcomeRefused, Says: "INVALID_INPUT Invalid group"},
			{Name: "success without data", Status: 200, Body: `{"resp_code":"SUCCESS"}`, Want: dispatch.OutcomeDeferred},
			{Name: "success of another form", Status: 200, Body: `{"resp_code":"SUCCESS","data":{"id":1}}`, Want: dispatch.OutcomeDeferred},
			{Name: "no envelope", Status: 200, Body: `[]`, Want: dispatch.OutcomeDeferred},
			{Name: "empty", Status: 200, Want: dispatch.OutcomeDeferred},
			{Name: "login page", Status: 200, Body: "<!doctype html><title>Login</title>", Want: dispatch.OutcomeMisconfigured, Says: "settings.url"},
		},
		Refused: []exam.Refusal{
			refused("no credential", `"clientId": "c"`, nil, "secrets.clientSecret"),
			refused("no client id", ``, map[string]dispatch.Secret{"clientSecret": secret}, "settings.clientId"),
			refused("both", `"clientId": "c"`, map[string]dispatch.Secret{"clientSecret": secret, "token": token}, "secrets.token"),
			refused("scheme in the token", ``, map[string]dispatch.Secret{"token": "Bearer abcdef"}, "secrets.token"),
			refused("path", `"url": "https://ic.example.com/rest"`, map[string]dispatch.Secret{"token": token}, "settings.url"),
			refused("no address", `"url": "ic.example.com"`, map[string]dispatch.Secret{"token": token}, "settings.url"),
			{Name: "organization", Settings: `{"organization": "../g"}`, Secrets: map[string]dispatch.Secret{"token": token}, Field: "settings.organization"},
		},
	})
}

func refused(name, settings string, secrets map[string]dispatch.Secret, field string) exam.Refusal {
	if settings != "" {
		settings = ", " + settings
	}
	return exam.Refusal{Name: name, Settings: `{"organization": "aBcDeF"` + settings + `}`, Secrets: secrets, Field: field}
}

// stage is a messenger and the InControl that it talks to.
type stage struct {
	*messenger
	c *incontrol.InControl
}

const mac = "02:00:5e:10:00:42"

// staged opens both; more are further settings of the actor.
func staged(t *testing.T, o incontrol.Options, more string) stage {
	t.Helper()
	o.ClientSecret = secret
	c := incontrol.New(o)
	c.AddGroup(3, "Branches",
		incontrol.Device{ID: 1201, SN: "2930-1111-2222", Name: "branch-01", Clients: []incontrol.Client{
			{Name: "WS-0142", MAC: "02:00:5E:10:00:42", IP: "192.0.2.42"},
			{Name: "WS-0004", MAC: "02:00:5E:10:00:04", IP: "192.0.2.4"},
		}},
		incontrol.Device{ID: 1202, SN: "2930-1111-3333", Name: "branch-02", Offline: true},
	)
	c.AddGroup(4, "Labs", incontrol.Device{ID: 1301, SN: "2930-4444-5555", Name: "lab-01"}, incontrol.Device{ID: 1302, SN: "2930-4444-6666", Name: "twin"},
		incontrol.Device{ID: 1303, SN: "2930-4444-7777", Name: "TWIN"})
	c.SetList(3, incontrol.List{ID: 12, Name: "dispatch-deny", Address: []string{"02:00:5E:10:00:99"}})
	return stage{opened(t, c, `"clientId": "client-of-the-fake"`+more, map[string]dispatch.Secret{"clientSecret": secret}), c}
}

func opened(t *testing.T, c http.Handler, settings string, secrets map[string]dispatch.Secret) *messenger {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(`{"url": "`+server.URL+`", "organization": "aBcDeF", `+settings+`}`), secrets)
	if problems != nil {
		t.Fatal(problems)
	}
	m, err := Kind().Open(filled, dispatch.World{HTTP: server.Client(), Instance: "srv-1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return m.(*messenger)
}

func parcel(s *ConfigSettings) dispatch.Parcel {
	p := exam.Parcel(1)
	p.Settings = s
	return p
}

func (s stage) deliver(t *testing.T, p dispatch.Parcel, want dispatch.OutcomeKind) dispatch.Outcome {
	t.Helper()
	out := s.Deliver(t.Context(), p)
	if out.Kind() != want {
		t.Fatalf("outcome %s (%v), want %s", out.Kind(), out.Err(), want)
	}
	return out
}

// requests are the calls by method and path, those of a token left out.
func (s stage) requests(method string) []string {
	var out []string
	for _, r := range s.c.Requests.All() {
		if r.Method == method && !strings.HasSuffix(r.URL.Path, "/token") {
			out = append(out, strings.TrimSpace(strings.TrimPrefix(r.URL.Path, "/rest/o/aBcDeF/g/")+" "+string(r.Body)))
		}
	}
	return out
}

// TestTest logs in and reads the organization, and says what is wrong with either.
func TestTest(t *testing.T) {
	s := staged(t, incontrol.Options{}, "")
	if out := s.Test(t.Context()); out.Kind() != dispatch.OutcomeDelivered || !strings.Contains(out.Exchange().Response, "Example Corp") {
		t.Errorf("%s %v", out.Kind(), out.Err())
	}
	s.settings.Organization = "other"
	if out := s.Test(t.Context()); out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "aBcDeF (Example Corp)") {
		t.Errorf("another organization: %s %v", out.Kind(), out.Err())
	}
	s = staged(t, incontrol.Options{}, "")
	s.settings.ClientSecret = "another-secret"
	if out := s.Test(t.Context()); out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "secrets.clientSecret") {
		t.Errorf("a wrong secret: %s %v", out.Kind(), out.Err())
	}
	s = staged(t, incontrol.Options{}, "")
	s.c.Play(fake.Step{Path: "/api/oauth2/token", Reset: true})
	if out := s.Test(t.Context()); out.Kind() == dispatch.OutcomeDelivered {
		t.Error("a login that broke off is no login")
	}
}
