package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	account "tocsin/fake/pagerduty"
)

// What the tests of both directions share.

func hookSecrets(token dispatch.Secret) map[string]dispatch.Secret {
	return map[string]dispatch.Secret{"integrationKey": key, "webhookSecret": hookSecret, "token": token}
}

func unknown(context.Context, string) (bool, error) { return false, nil }

func inbound(header http.Header, body []byte) dispatch.Inbound {
	return dispatch.Inbound{Method: http.MethodPost, Header: header, Body: body, Known: unknown}
}

func signed(body []byte, secret string) dispatch.Inbound {
	header := http.Header{}
	header.Set(signatureHeader, account.Sign(body, secret))
	return inbound(header, body)
}

// hearing is a messenger that only listens, unless there is a vendor.
func hearing(t *testing.T, vendor http.Handler, secrets map[string]dispatch.Secret) *messenger {
	t.Helper()
	if vendor == nil {
		vendor = http.NotFoundHandler()
	}
	return opened(t, vendor, secrets).(*messenger)
}

func receive(t *testing.T, m *messenger, body []byte) dispatch.StatusChange {
	t.Helper()
	changes, reply := m.Receive(t.Context(), signed(body, hookSecret))
	if len(changes) != 1 || reply.Status != 0 {
		t.Fatalf("%d changes, status %d", len(changes), reply.Status)
	}
	return changes[0]
}

// started is an account whose webhooks end with the test.
func started(t *testing.T, o account.Options) *account.Account {
	t.Helper()
	a := account.New(o)
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// ear is where an account's webhooks go to, and what was understood of them.
type ear struct {
	m       *messenger
	known   knows // nothing, when it is nil
	changes fake.Log[dispatch.StatusChange]
}

func heard(t *testing.T, a *account.Account) *ear {
	t.Helper()
	return heardBy(t, a, "")
}

func heardBy(t *testing.T, a *account.Account, token dispatch.Secret) *ear {
	t.Helper()
	e := &ear{m: hearing(t, a, hookSecrets(token))}
	e.listen(t, a)
	return e
}

// listen subscribes to the account's webhooks from now on.
func (e *ear) listen(t *testing.T, a *account.Account) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in := inbound(r.Header, body)
		if e.known != nil {
			in.Known = e.known
		}
		changes, reply := e.m.Receive(r.Context(), in)
		if reply.Status == 0 {
			reply.Status = http.StatusAccepted
		}
		w.WriteHeader(reply.Status)
		for _, c := range changes {
			e.changes.Add(c)
		}
	}))
	t.Cleanup(server.Close)
	_, secret := a.Subscribe(server.URL + "/hooks/act_1")
	e.m.settings.WebhookSecret = dispatch.Secret(secret)
}

func (e *ear) wait(t *testing.T, n int) []dispatch.StatusChange {
	t.Helper()
	changes, err := e.changes.Wait(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

func trigger(t *testing.T, m *messenger, n int) {
	t.Helper()
	if out := m.Deliver(t.Context(), config(exam.Parcel(n))); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
}

// update is the n-th ticket's status on its way to a copy that shows another.
func update(n int, seen, want dispatch.TicketStatus) dispatch.StatusUpdate {
	p := config(exam.Parcel(n))
	u := dispatch.StatusUpdate{
		DeliveryID: "dlv_1", Attempt: 1, Ticket: *p.Ticket, TicketURL: p.TicketURL, Alert: p.Alert, Settings: p.Settings,
		Link: dispatch.TicketLink{ExternalID: "srv-1:" + p.Ticket.ID, Seen: seen},
	}
	u.Ticket.Status = want
	return u
}

func updated(t *testing.T, m *messenger, n int, seen, want dispatch.TicketStatus) dispatch.Ref {
	t.Helper()
	out := m.Update(t.Context(), update(n, seen, want))
	if out.Kind() != dispatch.OutcomeDelivered {
		t.Fatalf("%s to %s: %v %v", seen, want, out.Kind(), out.Err())
	}
	return out.Ref()
}

func enqueue(t *testing.T, a *account.Account, e account.Event) {
	t.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v2/enqueue", bytes.NewReader(body)))
	if w.Code != http.StatusAccepted {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// requests counts those to paths that end so.
func requests(a *account.Account, path string) int {
	n := 0
	for _, r := range a.Requests.All() {
		if strings.HasSuffix(r.URL.Path, path) {
			n++
		}
	}
	return n
}

func openedWith(t *testing.T, vendor http.Handler, more string, secrets map[string]dispatch.Secret) dispatch.Messenger {
	t.Helper()
	server := httptest.NewServer(vendor)
	t.Cleanup(server.Close)
	return openedAt(t, server.URL, server.Client(), more, secrets)
}

// openedAt opens a messenger for an address; more are further settings.
func openedAt(t *testing.T, address string, client *http.Client, more string, secrets map[string]dispatch.Secret) *messenger {
	t.Helper()
	settings := `{"eventsUrl": "` + address + `", "apiUrl": "` + address + `"`
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

// piped opens a messenger for an account in a bubble, where nothing may wait for
// a socket.
func piped(t *testing.T, a *account.Account) *messenger {
	t.Helper()
	pipe := fake.NewPipe()
	a.Serve(pipe)
	client := &http.Client{Transport: &http.Transport{DialContext: pipe.DialContext}}
	t.Cleanup(func() { client.CloseIdleConnections(); _ = a.Close(); _ = pipe.Close() })
	return openedAt(t, a.URL(), client, "", hookSecrets(token))
}
