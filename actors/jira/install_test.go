package jira

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	site "tocsin/fake/jira"
)

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
