package jira

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	site "tocsin/fake/jira"
)

const (
	email = "bot@example.com"
	token = "token-of-the-exam"
	hook  = "secret-of-the-webhook"
	jane  = "5b10a2844c20165700ede21g"
	bot   = "5b10ac8d82e05b22cc7d4ef5"
)

var secrets = map[string]dispatch.Secret{"apiToken": token, "webhookSecret": hook}

func TestExam(t *testing.T) {
	marks := regexp.MustCompile(`tocsin-[0-9a-f]{16}`)
	exam.Sit(t, exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"url": "` + address + `/", "email": "` + email + `"}` },
		Secrets:  secrets,
		Config:   func(int) string { return `{"project": "SEC", "priorities": {"HIGH": "High"}, "labels": ["soc"]}` },
		Vendor:   func() http.Handler { return site.New(site.Options{Token: token}) },
		ID: func(_ *http.Request, body []byte) string {
			return marks.FindString(string(body)) // of the search before a repeat, too
		},
		RateLimitWait: pause,
		Answers: []exam.Answer{
			{Name: "internal error", Status: 500, Want: dispatch.OutcomeUncertain},
			{Name: "bad gateway", Status: 502, Body: "<html>bad gateway</html>", Want: dispatch.OutcomeUncertain},
			{Name: "gateway timeout", Status: 504, Want: dispatch.OutcomeUncertain},
			{Name: "conflict", Status: 409, Want: dispatch.OutcomeDeferred},
			{Name: "token", Status: 401, Want: dispatch.OutcomeMisconfigured, Says: "secrets.apiToken"},
			{Name: "token, let in as nobody", Status: 404, Header: map[string]string{"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}, Want: dispatch.OutcomeMisconfigured, Says: "secrets.apiToken"},
			{Name: "permission", Status: 403, Body: `{"errorMessages":["no right"]}`, Want: dispatch.OutcomeRefused, Says: "no right"},
			{Name: "page", Status: 200, Body: "<!DOCTYPE html>Log in", Want: dispatch.OutcomeMisconfigured, Says: "settings.url"},
			{Name: "empty", Status: 201, Want: dispatch.OutcomeUncertain},
			{Name: "no id", Status: 201, Body: `{}`, Want: dispatch.OutcomeUncertain},
			{Name: "429 with time", Status: 429, Header: map[string]string{"Retry-After": "60"}, Want: dispatch.OutcomeDeferred, Wait: time.Minute},
			said("project", "valid project is required", "settings.project"),
			said("issuetype", "Specify a valid issue type", "settings.issueType"),
			said("priority", "The priority selected is invalid.", "settings.priorities"),
			said("customfield_10042", "Team is required.", "settings.fields"),
		},
		Refused: []exam.Refusal{
			refused("no address", `{}`, token, "", "settings.url"),
			refused("address", `{"url": "example.atlassian.net"}`, token, "", "settings.url"),
			refused("site", `{"url": "https://api.atlassian.com/ex/jira/1", "siteUrl": "ftp://x"}`, token, "", "settings.siteUrl"),
			refused("no token", `{"url": "https://example.atlassian.net"}`, "", "", "secrets.apiToken"),
			refused("token with a line break", `{"url": "https://example.atlassian.net"}`, "token\r\nX-Evil: 1", "", "secrets.apiToken"),
			refused("email", `{"url": "https://example.atlassian.net", "email": "Bot <bot@example.com>"}`, token, "", "settings.email"),
			refused("webhook secret", `{"url": "https://example.atlassian.net"}`, token, "schlüssel", "secrets.webhookSecret"),
		},
	})
}

func said(field, message, says string) exam.Answer {
	body, _ := json.Marshal(map[string]any{"errorMessages": []string{}, "errors": map[string]string{field: message}})
	return exam.Answer{Name: field, Status: 400, Body: string(body), Want: dispatch.OutcomeRefused, Says: says}
}

func refused(name, settings, token, webhook, field string) exam.Refusal {
	return exam.Refusal{Name: name, Settings: settings, Secrets: map[string]dispatch.Secret{"apiToken": dispatch.Secret(token), "webhookSecret": dispatch.Secret(webhook)}, Field: field}
}

// TestGolden compares the issue that Jira gets, and what the outcome says of it.
func TestGolden(t *testing.T) {
	s := started(t, site.Options{})
	ref := delivered(t, opened(t, s), parcel(1))
	exam.Golden(t, "testdata/request.json", s.Requests.All()[0].Body)
	if ref.ID != "10001" || ref.Also[0] != "SEC-1" || !strings.HasSuffix(ref.URL, "/browse/SEC-1") || ref.Word != "To Do" || ref.Shows != dispatch.TicketOpen {
		t.Errorf("ref %+v", ref)
	}
}

// TestBearer: without an email the token is a bearer token, and people are led to
// the site's own address.
func TestBearer(t *testing.T) {
	s := started(t, site.Options{Bearer: token})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	m := openedAt(t, server.URL, server.Client(), `"siteUrl": "https://example.atlassian.net/"`, secrets)
	if ref := delivered(t, m, parcel(1)); ref.URL != "https://example.atlassian.net/browse/SEC-1" {
		t.Errorf("the issue is at %s", ref.URL)
	}
}

// TestFields: further fields go as texts or as JSON, the priority by severity.
func TestFields(t *testing.T) {
	project := site.Simple("SEC")
	project.Required = []string{"customfield_1", "customfield_2"}
	s := started(t, site.Options{Projects: []site.Project{project}})
	p := parcel(1)
	p.Settings = &ConfigSettings{
		Project: "SEC", IssueType: "Bug", Summary: "s", Priorities: map[string]string{"HIGH": "Highest"},
		Fields: map[string]string{"customfield_1": `{"value": "SOC"}`, "customfield_2": "plain"},
	}
	delivered(t, opened(t, s), p)
	i := s.Issues()[0]
	if i.Type != "Bug" || i.Priority != "Highest" || string(i.Fields["customfield_1"]) != `{"value":"SOC"}` || string(i.Fields["customfield_2"]) != `"plain"` {
		t.Errorf("issue %+v", i)
	}
}

// TestConfigs: what an issue cannot be made with is refused before anything is sent.
func TestConfigs(t *testing.T) {
	s := started(t, site.Options{})
	m := opened(t, s)
	for says, c := range map[string]ConfigSettings{
		"settings.project":     {Project: "../x", IssueType: "Task"},
		"settings.labels":      {Project: "SEC", Labels: []string{"two words"}},
		"settings.transitions": {Project: "SEC", Transitions: map[string]string{"open": "11"}},
		"settings.fields":      {Project: "SEC", Fields: map[string]string{"labels": "[]"}},
	} {
		p := parcel(1)
		p.Settings = &c
		out := m.Deliver(t.Context(), p)
		if out.Kind() != dispatch.OutcomeRefused || !strings.Contains(out.Err().Error(), says) {
			t.Errorf("%s: %v %v", says, out.Kind(), out.Err())
		}
	}
	if n := len(s.Requests.All()); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// TestTexts: a text that is too long is cut where people see it, above the facts
// that stay, and a document is never longer than Jira takes.
func TestTexts(t *testing.T) {
	for name, text := range map[string]string{
		"long": strings.Repeat("ä", 60_000), "lines": strings.Repeat("a\n", 30_000), "quotes": strings.Repeat(`"\`, 30_000),
		"blocks": strings.Repeat("a\n\n", 30_000), "planes": strings.Repeat("𝕏", 30_000),
	} {
		t.Run(name, func(t *testing.T) {
			s := started(t, site.Options{})
			p := parcel(1)
			p.Settings = &ConfigSettings{Project: "SEC", IssueType: "Task", Summary: text, Description: text}
			delivered(t, opened(t, s), p)
			i := s.Issues()[0]
			if !strings.Contains(string(i.Description), "[cut]") || !strings.Contains(string(i.Description), "Impossible travel") || len(i.Description) < 20_000 {
				t.Errorf("description of %d bytes: %.200s", len(i.Description), i.Description)
			}
			if strings.Contains(i.Summary, "\n") || !strings.HasSuffix(i.Summary, "[cut]") || length(i.Summary) > maxSummary {
				t.Errorf("summary %q", i.Summary)
			}
		})
	}
}

// TestMadeOnce: an issue whose making was not answered is found by what was put
// there with it, and not made again.
func TestMadeOnce(t *testing.T) {
	for name, step := range map[string]fake.Step{
		"lost":  {Path: "/rest/api/3/issue", Apply: true, Reset: true},
		"error": {Path: "/rest/api/3/issue", Apply: true, Status: 504},
	} {
		t.Run(name, func(t *testing.T) {
			s := started(t, site.Options{})
			m := opened(t, s)
			s.Play(step)
			if out := m.Deliver(t.Context(), parcel(1)); out.Kind() != dispatch.OutcomeUncertain {
				t.Fatalf("%v %v", out.Kind(), out.Err())
			}
			again := parcel(1)
			again.Attempt = 2
			if out := m.Resolve(t.Context(), again); out.Kind() != dispatch.OutcomeDelivered || out.Ref().ID != "10001" || out.Ref().Also[0] != "SEC-1" {
				t.Errorf("resolve: %v %v %+v", out.Kind(), out.Err(), out.Ref())
			}
			if ref := delivered(t, m, again); ref.ID != "10001" || len(s.Issues()) != 1 {
				t.Errorf("%d issues, ref %+v", len(s.Issues()), ref)
			}
		})
	}
}

// TestFirstAttemptDoesNotSearch: only a repeat looks first.
func TestFirstAttemptDoesNotSearch(t *testing.T) {
	s := started(t, site.Options{})
	delivered(t, opened(t, s), parcel(1))
	if requests(s, "/search/jql") != 0 {
		t.Error("the first attempt searched")
	}
}

// TestSearchLags: while a search may not know the issue yet it is not made again;
// what is not found after that was not made.
func TestSearchLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m := piped(t, site.Options{SearchDelay: 20 * time.Second})
		s.Play(fake.Step{Path: "/rest/api/3/issue", Apply: true, Reset: true})
		m.Deliver(t.Context(), parcel(1))
		out := m.Resolve(t.Context(), parcel(1))
		if out.Kind() != dispatch.OutcomeDeferred || out.Wait() <= 0 {
			t.Fatalf("%v %v", out.Kind(), out.Err())
		}
		wait(out.Wait())
		if out := m.Resolve(t.Context(), parcel(1)); out.Kind() != dispatch.OutcomeDelivered || out.Ref().ID != "10001" {
			t.Errorf("%v %v", out.Kind(), out.Err())
		}
		out = m.Resolve(t.Context(), parcel(2))
		wait(out.Wait())
		if out := m.Resolve(t.Context(), parcel(2)); out.Kind() != dispatch.OutcomeRefused {
			t.Errorf("an issue that was never made: %v %v", out.Kind(), out.Err())
		}
	})
}

// TestClone: a clone has the labels, but is not the issue.
func TestClone(t *testing.T) {
	s := started(t, site.Options{})
	m := opened(t, s)
	p := parcel(2)
	p.Settings = &ConfigSettings{Project: "SEC", IssueType: "Task", Summary: "CLONE", Labels: []string{mark(parcel(1).DeliveryID)}}
	delivered(t, m, p)
	again := parcel(1)
	again.Attempt = 2
	if ref := delivered(t, m, again); ref.Also[0] != "SEC-2" {
		t.Errorf("took %v for the issue of the delivery", ref.Also)
	}
}

// TestFollowUp: a further alert is a comment, once; where comments are off
// nothing is sent, and where the issue is gone another one is made.
func TestFollowUp(t *testing.T) {
	s := started(t, site.Options{})
	m := opened(t, s)
	ref := delivered(t, m, parcel(1))
	next := parcel(2)
	next.Link = &dispatch.TicketLink{ExternalID: ref.ID}
	if got := delivered(t, m, next); got.ID != ref.ID {
		t.Errorf("ref %+v", got)
	}
	next.Attempt = 2
	delivered(t, m, next)
	comments := s.Issues()[0].Comments
	if len(comments) != 1 || !strings.Contains(string(comments[0].Body), "Lagos") || len(s.Issues()) != 1 {
		t.Fatalf("comments %s", comments)
	}
	s.Play(fake.Step{Path: "/rest/api/3/issue/10001/comment", Apply: true, Reset: true})
	third := parcel(3)
	third.Link = next.Link
	if out := m.Deliver(t.Context(), third); out.Kind() != dispatch.OutcomeUncertain {
		t.Errorf("%v %v", out.Kind(), out.Err())
	}
	if out := m.Resolve(t.Context(), third); out.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("%v %v", out.Kind(), out.Err())
	}
	fourth := parcel(4)
	fourth.Link = next.Link
	if out := m.Resolve(t.Context(), fourth); out.Kind() != dispatch.OutcomeRefused || out.IsGone() {
		t.Errorf("%v %v", out.Kind(), out.Err())
	}
	quiet := parcel(5)
	quiet.Link, quiet.Settings = next.Link, &ConfigSettings{Project: "SEC", IssueType: "Task", Summary: "s"}
	before := len(s.Requests.All())
	if delivered(t, m, quiet); len(s.Requests.All()) != before {
		t.Error("something was sent, though comments are off")
	}
	must(t, s.Delete("SEC-1", jane))
	if got := delivered(t, m, fourth); got.ID == ref.ID || len(s.Issues()) != 1 {
		t.Errorf("after the issue is gone: %+v", got)
	}
}

// TestTestMessage says that it is one, and nothing follows it.
func TestTestMessage(t *testing.T) {
	s := started(t, site.Options{})
	p := parcel(1)
	p.Test, p.Ticket = true, nil
	if ref := delivered(t, opened(t, s), p); !ref.Loose || !strings.HasPrefix(s.Issues()[0].Summary, "[Test] ") {
		t.Errorf("ref %+v, summary %q", ref, s.Issues()[0].Summary)
	}
}

// TestTest logs in and makes nothing.
func TestTest(t *testing.T) {
	s := started(t, site.Options{LetsIn: true})
	out := opened(t, s).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || !strings.Contains(out.Exchange().Response, "Logged in as Alert Bot") || len(s.Issues()) > 0 {
		t.Errorf("%v %v %q", out.Kind(), out.Err(), out.Exchange().Response)
	}
	out = openedWith(t, s, "", map[string]dispatch.Secret{"apiToken": "another-token"}).Test(t.Context())
	if out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "secrets.apiToken") {
		t.Errorf("%v %v", out.Kind(), out.Err())
	}
}
