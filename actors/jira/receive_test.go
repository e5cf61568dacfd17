package jira

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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

// TestNobodyIsAsked: when it cannot be known who we are, whoever did it is named.
func TestNobodyIsAsked(t *testing.T) {
	m := openedWith(t, http.NotFoundHandler(), "", secrets)
	if by := m.by(context.Background(), user{AccountID: "5b1"}); by != "5b1" {
		t.Errorf("by %q", by)
	}
}
