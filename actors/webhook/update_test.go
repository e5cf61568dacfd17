package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	receiver "tocsin/fake/webhook"
)

// change is what the hub hands over when the ticket of the first parcel is closed.
func change() dispatch.StatusUpdate {
	p := exam.Parcel(1)
	t := *p.Ticket
	t.Status, t.UpdatedAt = dispatch.TicketClosed, t.OpenedAt.Add(time.Hour)
	return dispatch.StatusUpdate{
		DeliveryID: "dlv_update", Attempt: 2, Ticket: t, TicketURL: p.TicketURL, Alert: p.Alert,
		Link: dispatch.TicketLink{ExternalID: t.ID}, Settings: Kind().ConfigSettings,
	}
}

// TestUpdate sends the status, signed, and the repeat with the same id, so that
// the receiver takes it once.
func TestUpdate(t *testing.T) {
	r := receiver.New(receiver.Options{Secrets: []string{secret}})
	if err := r.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Play(fake.Step{Apply: true, Status: 503})
	m := opened(t, `{"url": "`+r.URL()+`"}`, secrets).(dispatch.Updater)
	if out := m.Update(t.Context(), change()); out.Kind() != dispatch.OutcomeDeferred {
		t.Errorf("first: %s %v", out.Kind(), out.Err())
	}
	if out := m.Update(t.Context(), change()); out.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("second: %s %v", out.Kind(), out.Err())
	}
	taken := r.Taken()
	if len(taken) != 1 || taken[0].Copies != 2 || taken[0].Changed || taken[0].ID != "dlv_update" {
		t.Fatalf("taken %+v", taken)
	}
	exam.Golden(t, "testdata/update.json", taken[0].Body)
}

// TestUpdateGone: an address that is gone for good waits for a person.
func TestUpdateGone(t *testing.T) {
	server := httptest.NewServer(exam.Answer{Status: http.StatusGone})
	defer server.Close()
	out := opened(t, `{"url": "`+server.URL+`"}`, secrets).(dispatch.Updater).Update(t.Context(), change())
	if out.Kind() != dispatch.OutcomeMisconfigured || out.IsGone() {
		t.Errorf("%s %v", out.Kind(), out.Err())
	}
}

// TestRef: the copy goes by the ticket's id, so that two alerts of a ticket share
// it, and beside that by what the receiver answers.
func TestRef(t *testing.T) {
	id := exam.Parcel(1).Ticket.ID
	off := `{"updates": false}`
	for _, row := range []struct {
		name, config, answer string
		want                 dispatch.Ref
	}{
		{"no body", `{}`, ``, dispatch.Ref{ID: id}},
		{"no JSON", `{}`, `<p>thanks</p>`, dispatch.Ref{ID: id}},
		{"id and url", `{}`, `{"id": "INC-7", "url": "https://desk.example.com/7"}`, dispatch.Ref{ID: id, Also: []string{"INC-7"}, URL: "https://desk.example.com/7"}},
		{"number", `{}`, `{"id": 42, "url": null}`, dispatch.Ref{ID: id, Also: []string{"42"}}},
		{"script", `{}`, `{"id": null, "url": "javascript:alert(1)"}`, dispatch.Ref{ID: id}},
		{"other types", `{}`, `{"id": {"a": 1}}`, dispatch.Ref{ID: id}},
		{"no updates", off, `{"id": "INC-7"}`, dispatch.Ref{ID: id, Also: []string{"INC-7"}, Loose: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, row.answer)
			}))
			defer server.Close()
			p := exam.Parcel(1)
			p.Settings, _ = dispatch.Fill(Kind().ConfigSettings, dispatch.JSON(row.config), nil)
			out := opened(t, `{"url": "`+server.URL+`"}`, nil).Deliver(t.Context(), p)
			row.want.Shows = dispatch.TicketOpen
			if diff := cmp.Diff(row.want, out.Ref()); diff != "" {
				t.Errorf("ref (-want +got):\n%s", diff)
			}
		})
	}
	p := exam.Parcel(1)
	p.Ticket = nil
	server := httptest.NewServer(exam.Answer{Status: http.StatusOK})
	defer server.Close()
	if ref := opened(t, `{"url": "`+server.URL+`"}`, nil).Deliver(t.Context(), config(p)).Ref(); !ref.Loose || ref.ID != "" {
		t.Errorf("without a ticket: %+v", ref)
	}
}
