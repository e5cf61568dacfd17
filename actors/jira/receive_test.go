package jira

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/dispatch"
	"tocsin/fake"
	site "tocsin/fake/jira"
)

// ear is where a site's webhooks go to, and what was understood of them.
func ear(t *testing.T, s *site.Site, m *messenger, answers ...int) *fake.Log[dispatch.StatusChange] {
	t.Helper()
	changes := &fake.Log[dispatch.StatusChange]{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		all, reply := m.Receive(r.Context(), dispatch.Inbound{Method: r.Method, Header: r.Header, Body: body})
		for _, c := range all {
			changes.Add(c)
		}
		if len(answers) > 0 {
			reply.Status, answers = answers[0], answers[1:]
		}
		w.WriteHeader(max(reply.Status, http.StatusOK))
	}))
	t.Cleanup(server.Close)
	s.Subscribe(server.URL+"/hooks/act_1", hook)
	return changes
}

// TestReceive: what people do with an issue comes in with who and when; a rename
// and a new issue are no news; our own doing names nobody, so that the hub knows
// it for an echo.
func TestReceive(t *testing.T) {
	s := started(t, site.Options{})
	m := opened(t, s)
	changes := ear(t, s, m)
	id := delivered(t, m, parcel(1)).ID
	must(t, s.Rename("SEC-1", "another", jane))
	must(t, s.Move("SEC-1", "In Progress", jane))
	must(t, s.Move("SEC-1", "Done", bot))
	must(t, s.Move("SEC-1", "To Do", jane))
	must(t, s.Delete("SEC-1", jane))
	must(t, s.Flush(t.Context()))
	all := changes.All()
	if len(all) != 4 {
		t.Fatalf("%d changes: %+v", len(all), all)
	}
	for i, want := range []dispatch.StatusChange{
		{Status: dispatch.TicketAcknowledged, Word: "In Progress", By: "Jane Doe"},
		{Status: dispatch.TicketClosed, Word: "Done"},
		{Status: dispatch.TicketOpen, Word: "To Do", By: "Jane Doe"},
		{Gone: true, Text: "the issue was deleted by Jane Doe"},
	} {
		got := all[i]
		if got.Status != want.Status || got.Word != want.Word || got.By != want.By || got.Gone != want.Gone || got.Text != want.Text {
			t.Errorf("change %d is %+v", i, got)
		}
		if got.EventID == "" || time.Since(got.At) > time.Minute || got.Names[0] != id || got.Level {
			t.Errorf("change %d is %+v", i, got)
		}
	}
	if requests(s, "/myself") != 1 {
		t.Errorf("asked %d times who we are", requests(s, "/myself"))
	}
}

// TestSameEvent: a webhook that is sent again has the same id.
func TestSameEvent(t *testing.T) {
	s := started(t, site.Options{RetryEvery: time.Millisecond})
	m := opened(t, s)
	delivered(t, m, parcel(1))
	changes := ear(t, s, m, http.StatusServiceUnavailable)
	must(t, s.Move("SEC-1", "Done", jane))
	must(t, s.Flush(t.Context()))
	all := changes.All()
	if len(all) != 2 || all[0].EventID != all[1].EventID {
		t.Errorf("changes %+v", all)
	}
}

// TestSignature: only what is signed with one of the secrets is taken, over the
// body as it came; without a secret nothing is.
func TestSignature(t *testing.T) {
	body := []byte(`{"webhookEvent": "jira:issue_deleted",  "issue": {"id": "10001"}}`)
	for _, row := range []struct {
		name, secrets, signature string
		want                     int
	}{
		{"one", hook, site.Sign(body, hook), 0},
		{"two with a space", "former " + hook, site.Sign(body, "former"), 0},
		{"two with a comma", "former," + hook, site.Sign(body, hook), 0},
		{"two lines", "former\n" + hook + "\n", site.Sign(body, hook), 0},
		{"another secret", hook, site.Sign(body, "another"), 401},
		{"another body", hook, site.Sign(bytes.TrimSuffix(body, []byte("}")), hook), 401},
		{"none", hook, "", 401},
		{"another method", hook, strings.Replace(site.Sign(body, hook), "sha256=", "sha1=", 1), 401},
		{"no hex", hook, "sha256=zz", 401},
		{"no secret", "", site.Sign(body, ""), 401},
		{"an empty one", " , ", site.Sign(body, ""), 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := openedWith(t, http.NotFoundHandler(), "", map[string]dispatch.Secret{"apiToken": token, "webhookSecret": dispatch.Secret(row.secrets)})
			header := http.Header{}
			if row.signature != "" {
				header.Set(signatureHeader, row.signature)
			}
			changes, reply := m.Receive(t.Context(), dispatch.Inbound{Method: http.MethodPost, Header: header, Body: body})
			if reply.Status != row.want || (len(changes) == 1) != (row.want == 0) {
				t.Errorf("status %d, %d changes", reply.Status, len(changes))
			}
		})
	}
}

// TestReceiveStrange: whatever is authentic and not understood is taken and dropped.
func TestReceiveStrange(t *testing.T) {
	m := openedWith(t, http.NotFoundHandler(), "", secrets)
	for _, body := range []string{
		``, `[]`, `{}`, `{"webhookEvent":"comment_created","issue":{"id":"1"}}`, `{"webhookEvent":"jira:issue_updated"}`,
		`{"webhookEvent":"jira:issue_updated","issue":{"id":"../1"},"changelog":{"items":[{"field":"status"}]}}`,
		`{"webhookEvent":"jira:issue_updated","issue":{"id":"1","fields":{"status":{"statusCategory":{"key":"new"}}}}}`,
		`{"webhookEvent":"jira:issue_updated","issue":{"id":"1"},"changelog":{"items":[{"field":"status"}]}}`,
		`{"webhookEvent":"jira:issue_updated","issue":{"id":"1","fields":{"status":{"statusCategory":{"key":"other"}}}},"changelog":{"items":[{"field":"status"}]}}`,
	} {
		header := http.Header{}
		header.Set(signatureHeader, site.Sign([]byte(body), hook))
		changes, reply := m.Receive(t.Context(), dispatch.Inbound{Header: header, Body: []byte(body)})
		if len(changes) > 0 || reply.Status != 0 {
			t.Errorf("%s: %d changes, status %d", body, len(changes), reply.Status)
		}
	}
}

// polls polls to the end.
func polls(t *testing.T, m *messenger, cursor string) (changes []dispatch.StatusChange, next string, pages int) {
	t.Helper()
	for {
		p, out := m.Poll(t.Context(), cursor)
		if out.Kind() != dispatch.OutcomeDelivered {
			t.Fatalf("%v %v", out.Kind(), out.Err())
		}
		changes, cursor, pages = append(changes, p.Changes...), p.Cursor, pages+1
		if !p.More {
			return changes, cursor, pages
		}
	}
}

// TestPoll: what has changed since is found to the last page and told as it is
// now, though a search knows it late; what is not ours is not asked for.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m := piped(t, site.Options{SearchDelay: 30 * time.Second, PageMost: 2})
		for n := range 5 {
			delivered(t, m, parcel(n))
		}
		all, cursor, pages := polls(t, m, "")
		if len(all) != 0 || pages != 1 {
			t.Errorf("before a search knows them: %d changes on %d pages", len(all), pages)
		}
		wait(time.Minute)
		all, cursor, pages = polls(t, m, cursor)
		if len(all) != 5 || pages != 3 {
			t.Errorf("%d changes on %d pages", len(all), pages)
		}
		must(t, s.Move("SEC-3", "In Progress", jane))
		wait(time.Minute)
		must(t, s.Move("SEC-3", "Done", jane)) // which a search does not know yet
		all, cursor, _ = polls(t, m, cursor)
		var third dispatch.StatusChange
		for _, c := range all {
			if c.Names[0] == "10003" {
				third = c
			}
		}
		if third.Status != dispatch.TicketClosed || third.Word != "Done" || !third.Level || third.AskedAt.IsZero() || third.At.IsZero() {
			t.Errorf("the third is %+v", third)
		}
		wait(time.Hour)
		if all, cursor, _ = polls(t, m, cursor); len(all) == 0 {
			t.Error("an hour without a poll was not looked back on")
		}
		wait(10 * time.Minute)
		if all, _, _ = polls(t, m, cursor); len(all) != 0 {
			t.Errorf("%d changes, though nothing has changed for an hour", len(all))
		}
	})
}

// TestPollFails: a failure keeps the cursor; one of Jira's that has ended begins
// the round anew.
func TestPollFails(t *testing.T) {
	s := started(t, site.Options{PageMost: 1})
	m := opened(t, s)
	delivered(t, m, parcel(1))
	delivered(t, m, parcel(2))
	first, _ := m.Poll(t.Context(), "")
	for _, step := range []fake.Step{{Path: "/rest/api/3/search/jql", Status: 503}, {Path: "/rest/api/3/issue/bulkfetch", Status: 503}, {Path: "/rest/api/3/issue/bulkfetch", Status: 200, Body: "{}"}} {
		s.Play(step)
		if p, out := m.Poll(t.Context(), first.Cursor); out.Kind() != dispatch.OutcomeDeferred || p.Cursor != first.Cursor || len(p.Changes) > 0 {
			t.Errorf("%v %v %+v", out.Kind(), out.Err(), p)
		}
	}
	s.Play(fake.Step{Path: "/rest/api/3/search/jql", Status: 400, Body: `{"errorMessages":["The provided next page token is invalid or expired."]}`})
	p, out := m.Poll(t.Context(), first.Cursor)
	if out.Kind() != dispatch.OutcomeDelivered || p.More {
		t.Fatalf("%v %v", out.Kind(), out.Err())
	}
	if all, _, _ := polls(t, m, p.Cursor); len(all) != 2 {
		t.Errorf("%d changes of the new round", len(all))
	}
}

// TestAsk: a hundred issues are one call; one that cannot be read now is left out.
func TestAsk(t *testing.T) {
	s := started(t, site.Options{})
	m := opened(t, s)
	var links []dispatch.TicketLink
	for n := range 3 {
		links = append(links, dispatch.TicketLink{ExternalID: delivered(t, m, parcel(n)).ID})
	}
	must(t, s.Move("SEC-2", "Done", jane))
	links = append(links, links[0], dispatch.TicketLink{ExternalID: "not an id"})
	before := len(s.Requests.All())
	changes, out := m.Ask(t.Context(), links)
	if out.Kind() != dispatch.OutcomeDelivered || len(changes) != 3 || len(s.Requests.All()) != before+1 {
		t.Fatalf("%v %v %+v", out.Kind(), out.Err(), changes)
	}
	if c := changes[1]; c.Status != dispatch.TicketClosed || !c.Level || c.AskedAt.IsZero() || c.Also[0] != "SEC-2" {
		t.Errorf("%+v", c)
	}
	s.Play(fake.Step{Path: "/rest/api/3/issue/bulkfetch", Status: 200, Body: `{"issues":[],"issueErrors":[{"id":"10001","errorMessage":"later"}]}`})
	if changes, out = m.Ask(t.Context(), links[:1]); out.Kind() != dispatch.OutcomeDelivered || len(changes) > 0 {
		t.Errorf("%v %v %+v", out.Kind(), out.Err(), changes)
	}
	s.Play(fake.Step{Status: 429, Headers: map[string]string{"Retry-After": "7"}})
	if _, out = m.Ask(t.Context(), links); out.Kind() != dispatch.OutcomeDeferred || out.Wait() != 7*time.Second {
		t.Errorf("%v waits %v", out.Kind(), out.Wait())
	}
}

// TestInstall makes a webhook for our issues alone, whose secret is kept behind
// the former and shows nowhere.
func TestInstall(t *testing.T) {
	s := started(t, site.Options{})
	m := opened(t, s)
	got, out := m.Install(t.Context(), "https://tocsin.example.com/hooks/act_1")
	former, secret, _ := strings.Cut(string(got["webhookSecret"]), " ")
	if out.Kind() != dispatch.OutcomeDelivered || former != hook || len(secret) < 32 {
		t.Fatalf("%v %v", out.Kind(), out.Err())
	}
	if body := string(s.Requests.All()[0].Body); !strings.Contains(body, secret) || !strings.Contains(body, `labels = \"tocsin\"`) {
		t.Errorf("registered %s", body)
	}
	s.Play(fake.Step{Status: 400, Body: "what?"})
	var sent string
	m.world.HTTP.Transport = spy{m.world.HTTP.Transport, &sent}
	_, out = m.Install(t.Context(), "https://tocsin.example.com/hooks/act_1")
	if out.Kind() != dispatch.OutcomeRefused || sent == "" || strings.Contains(string(out.Exchange().Request), sent) {
		t.Errorf("%v %v, recorded %s", out.Kind(), out.Err(), out.Exchange().Request)
	}
	for address, vendor := range map[string]*site.Site{"": s, "https://tocsin.example.com/h": started(t, site.Options{NoAdmin: true})} {
		if got, out := opened(t, vendor).Install(t.Context(), address); out.Kind() != dispatch.OutcomeRefused || got != nil {
			t.Errorf("%q: %v %v", address, out.Kind(), out.Err())
		}
	}
}

// spy reads the secret of a registration on its way.
type spy struct {
	next http.RoundTripper
	sent *string
}

func (s spy) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	_, rest, _ := strings.Cut(string(body), `"secret":"`)
	*s.sent, _, _ = strings.Cut(rest, `"`)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return s.next.RoundTrip(r)
}

var _ interface {
	dispatch.Messenger
	dispatch.Tester
	dispatch.Resolver
	dispatch.Updater
	dispatch.Receiver
	dispatch.Poller
	dispatch.Asker
	dispatch.Installer
} = (*messenger)(nil)

// TestNobodyIsAsked: when it cannot be known who we are, whoever did it is named.
func TestNobodyIsAsked(t *testing.T) {
	m := openedWith(t, http.NotFoundHandler(), "", secrets)
	if by := m.by(context.Background(), user{AccountID: "5b1"}); by != "5b1" {
		t.Errorf("by %q", by)
	}
}
