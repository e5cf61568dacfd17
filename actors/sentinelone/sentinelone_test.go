package sentinelone

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	console "tocsin/fake/sentinelone"
)

const (
	token    = "token-of-the-exam"
	threatID = "1912345678901234561"
	hostID   = "1898765432109876541"
)

func numbered(n int) string { return fmt.Sprintf("19123456789012%05d", n) }

// vendor is a console with one host and a threat for each of the exam's deliveries.
func vendor() http.Handler {
	c := console.New(console.Options{Token: token})
	c.AddHost(console.Host{ID: hostID, Name: "WS-0142"})
	for n := range 200 {
		c.AddThreat(console.Threat{ID: numbered(n), HostID: hostID})
	}
	return c
}

func TestExam(t *testing.T) {
	json401 := `{"errors":[{"code":4010010,"detail":null,"title":"Authentication Failed"}]}`
	exam.Sit(t, exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"url": "` + address + `/"}` },
		Secrets:  map[string]dispatch.Secret{"apiToken": token},
		Config:   func(n int) string { return `{"target": "` + numbered(n) + `"}` },
		Vendor:   vendor,
		ID: func(r *http.Request, body []byte) string {
			var o struct{ Data struct{ Text string } }
			if !strings.HasSuffix(r.URL.Path, "/threats/notes") || json.Unmarshal(body, &o) != nil {
				return ""
			}
			_, mark, _ := strings.Cut(o.Data.Text, "[ref ")
			return mark
		},
		Crowd:         40, // the list of threats takes fifty calls at once
		RateLimitWait: pause,
		Answers: []exam.Answer{
			{Name: "bad token", Status: 401, Body: json401, Want: dispatch.OutcomeMisconfigured, Says: "secrets.apiToken"},
			{Name: "missing permission", Status: 403, Want: dispatch.OutcomeRefused, Says: rightView},
			{Name: "envelope", Status: 400, Body: `{"errors":[{"code":4000010,"detail":"siteIds: 0: too small","title":"Validation Error"}]}`, Want: dispatch.OutcomeRefused, Says: "4000010 Validation Error: siteIds: 0: too small"},
			{Name: "old route", Status: 405, Want: dispatch.OutcomeRefused},
			{Name: "login page", Status: 200, Body: "<!doctype html><title>Login</title>", Want: dispatch.OutcomeMisconfigured, Says: "settings.url"},
			{Name: "empty", Status: 200, Want: dispatch.OutcomeDeferred},
			{Name: "empty 204", Status: 204, Want: dispatch.OutcomeDeferred},
			{Name: "no list", Status: 200, Body: `{}`, Want: dispatch.OutcomeDeferred, Says: "no list"},
			{Name: "429 with time", Status: 429, Header: map[string]string{"Retry-After": "9"}, Want: dispatch.OutcomeDeferred, Wait: 9 * time.Second},
			{Name: "429 alone", Status: 429, Want: dispatch.OutcomeDeferred, Wait: pause},
		},
		Refused: []exam.Refusal{
			{Name: "no token", Settings: `{"url": "https://t.example.com"}`, Field: "secrets.apiToken"},
			refused("path", `{"url": "https://t.example.com/web/api"}`, token, "settings.url"),
			refused("no address", `{"url": "t.example.com"}`, token, "settings.url"),
			refused("scheme in the token", `{"url": "https://t.example.com"}`, "ApiToken abcdef", "secrets.apiToken"),
			refused("site", `{"url": "https://t.example.com", "siteIds": ["42"]}`, token, "settings.siteIds"),
		},
	})
}

func refused(name, settings, token, field string) exam.Refusal {
	return exam.Refusal{Name: name, Settings: settings, Field: field, Secrets: map[string]dispatch.Secret{"apiToken": dispatch.Secret(token)}}
}

// stage is a messenger and the console that it talks to.
type stage struct {
	*messenger
	c *console.Console
}

// staged opens both; more are further settings of the actor.
func staged(t *testing.T, o console.Options, more string) stage {
	t.Helper()
	o.Token = token
	c := console.New(o)
	c.AddHost(console.Host{ID: hostID, UUID: "0f1e2d3c4b5a69788796a5b4c3d2e1f0", Name: "WS-0142", IP: "192.0.2.42", MAC: "02:00:5e:10:00:42"})
	c.AddHost(console.Host{ID: "1898765432109876542", UUID: "1f1e2d3c4b5a69788796a5b4c3d2e1f1", Name: "WS-01420", IP: "192.0.2.4", MAC: "02:00:5e:10:00:43"})
	c.AddThreat(console.Threat{ID: threatID, HostID: hostID})
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(`{"url": "`+server.URL+`"`+more+`}`), map[string]dispatch.Secret{"apiToken": token})
	if problems != nil {
		t.Fatal(problems)
	}
	m, err := Kind().Open(filled, dispatch.World{HTTP: server.Client(), Instance: "srv-1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return stage{m.(*messenger), c}
}

// parcel is an alert for the threat with some operations.
func parcel(operations ...string) (dispatch.Parcel, *ConfigSettings) {
	p := exam.Parcel(1)
	s := &ConfigSettings{TargetKind: targetThreat, Target: threatID, Operations: operations, Note: "Ticket T-1001", Updates: true}
	p.Settings = s
	return p, s
}

func (s stage) deliver(t *testing.T, p dispatch.Parcel, want dispatch.OutcomeKind) dispatch.Outcome {
	t.Helper()
	out := s.Deliver(t.Context(), p)
	if out.Kind() != want {
		t.Fatalf("outcome %s (%v), want %s", out.Kind(), out.Err(), want)
	}
	return out
}

// writes are the requests that change something.
func (s stage) writes() []string {
	var out []string
	for _, r := range s.c.Requests.All() {
		if r.Method != http.MethodGet {
			out = append(out, strings.TrimPrefix(r.URL.Path, base)+" "+string(r.Body))
		}
	}
	return out
}

// TestDeliver: the threat has the note, the ticket's number and its status, and
// the copy is the threat.
func TestDeliver(t *testing.T) {
	s := staged(t, console.Options{}, "")
	p, _ := parcel(opNote, opLink, opStatus, opVerdict)
	p.Settings.(*ConfigSettings).Verdict = "suspicious"
	p.Ticket.Status = dispatch.TicketAcknowledged
	ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref()
	got := s.c.Threat(threatID)
	if len(got.Notes) != 1 || !strings.HasPrefix(got.Notes[0].Text, "Ticket T-1001 [ref dlv_") || got.TicketID != "T-1001" ||
		got.Status != inProgress || got.Verdict != "suspicious" {
		t.Errorf("the threat is %+v", got)
	}
	if ref.ID != threatID || ref.Word != "in_progress, suspicious" || ref.Shows != dispatch.TicketAcknowledged || ref.Loose ||
		!strings.HasSuffix(ref.URL, "/incidents/threats/"+threatID+"/overview") {
		t.Errorf("ref %+v", ref)
	}
	for _, w := range s.writes() {
		if !strings.Contains(w, `"ids":["`+threatID+`"]`) {
			t.Errorf("a write does not name exactly one id: %s", w)
		}
	}
}

// TestShows: without set_status the copy stands as the console says.
func TestShows(t *testing.T) {
	s := staged(t, console.Options{}, "")
	s.c.SetStatus(threatID, resolved)
	p, config := parcel(opNote)
	if ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref(); ref.Shows != dispatch.TicketClosed {
		t.Errorf("ref %+v", ref)
	}
	config.Updates = false
	if ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref(); !ref.Loose {
		t.Error("without updates, nothing is to follow the copy")
	}
}

// TestShowsWhatIsReadBack: somebody has set the status between our question and
// our write, which then changes nothing; the copy shows what is so by now.
func TestShowsWhatIsReadBack(t *testing.T) {
	s := staged(t, console.Options{}, "")
	p, _ := parcel(opStatus)
	p.Ticket.Status = dispatch.TicketAcknowledged
	s.c.Play(fake.Step{Path: base + "/threats/incident", Apply: true, Status: 200, Body: `{"data":{"affected":0}}`})
	if ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref(); ref.Shows != dispatch.TicketAcknowledged || ref.Word != inProgress {
		t.Errorf("ref %+v", ref)
	}
}

// TestTest logs in by what needs the token.
func TestTest(t *testing.T) {
	s := staged(t, console.Options{}, "")
	if out := s.Test(t.Context()); out.Kind() != dispatch.OutcomeDelivered || !strings.Contains(out.Exchange().Response, "S-25.4.3") {
		t.Errorf("%s %v", out.Kind(), out.Err())
	}
	s.settings.APIToken = "another-token"
	if out := s.Test(t.Context()); out.Kind() != dispatch.OutcomeMisconfigured {
		t.Errorf("a wrong token: %s", out.Kind())
	}
	for _, r := range s.c.Requests.All() {
		if strings.HasSuffix(r.URL.Path, "/system/status") {
			t.Error("system/status proves nothing")
		}
	}
}
