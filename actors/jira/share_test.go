package jira

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	site "tocsin/fake/jira"
)

// What the tests of both directions share.

func parcel(n int) dispatch.Parcel {
	p := exam.Parcel(n)
	p.Settings = &ConfigSettings{
		Project: "SEC", IssueType: "Task", Summary: p.Alert.Summary, Description: *p.Alert.Description + "\n\n" + *p.Alert.Link, Comments: true,
	}
	return p
}

func started(t *testing.T, o site.Options) *site.Site {
	t.Helper()
	if o.Token == "" {
		o.Token = token
	}
	s := site.New(o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func opened(t *testing.T, vendor http.Handler) *messenger {
	t.Helper()
	return openedWith(t, vendor, `"email": "`+email+`"`, secrets)
}

func openedWith(t *testing.T, vendor http.Handler, more string, secrets map[string]dispatch.Secret) *messenger {
	t.Helper()
	server := httptest.NewServer(vendor)
	t.Cleanup(server.Close)
	return openedAt(t, server.URL, server.Client(), more, secrets)
}

func openedAt(t *testing.T, address string, client *http.Client, more string, secrets map[string]dispatch.Secret) *messenger {
	t.Helper()
	settings := `{"url": "` + address + `"`
	if more != "" {
		settings += ", " + more
	}
	filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(settings+"}"), secrets)
	if problems != nil {
		t.Fatal(problems)
	}
	m, err := Kind().Open(filled, dispatch.World{HTTP: client, Instance: "srv-1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return m.(*messenger)
}

// piped opens a site and a messenger in a bubble, where nothing may wait for a socket.
func piped(t *testing.T, o site.Options) (*site.Site, *messenger) {
	t.Helper()
	s := started(t, o)
	pipe := fake.NewPipe()
	s.Serve(pipe)
	client := &http.Client{Transport: &http.Transport{DialContext: pipe.DialContext}}
	t.Cleanup(func() { client.CloseIdleConnections(); _ = s.Close(); _ = pipe.Close() })
	return s, openedAt(t, s.URL(), client, `"email": "`+email+`"`, secrets)
}

// wait lets the time of a bubble pass.
func wait(d time.Duration) { <-time.After(d) }

func delivered(t *testing.T, m *messenger, p dispatch.Parcel) dispatch.Ref {
	t.Helper()
	out := m.Deliver(t.Context(), p)
	if out.Kind() != dispatch.OutcomeDelivered {
		t.Fatalf("%v %v", out.Kind(), out.Err())
	}
	return out.Ref()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// requests counts those to paths that end so.
func requests(s *site.Site, path string) int {
	n := 0
	for _, r := range s.Requests.All() {
		if strings.HasSuffix(r.URL.Path, path) {
			n++
		}
	}
	return n
}
