package servicenow

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	instance "tocsin/fake/servicenow"
)

// made puts an incident in as a delivery makes it, and returns its sys_id.
func (s stage) made(state string) string {
	return s.i.Add("incident", "tocsin", map[string]string{"state": state, columnCorrelation: "dlv_1", columnDisplay: display})
}

func (s stage) update(t *testing.T, id string, status dispatch.TicketStatus, config string) dispatch.Outcome {
	t.Helper()
	p := exam.Parcel(1)
	ticket := *p.Ticket
	ticket.Status = status
	return s.Update(t.Context(), dispatch.StatusUpdate{
		DeliveryID: "dlv_2", Ticket: ticket, TicketURL: p.TicketURL, Alert: p.Alert,
		Link: dispatch.TicketLink{ExternalID: id, Data: map[string]string{dataTable: "incident"}}, Settings: rendered(t, config, p),
	})
}

// TestUpdate sets each state, and what stands for the status already is left.
func TestUpdate(t *testing.T) {
	s := staged(t, instance.Options{CloseCodes: []string{"Solution provided"}}, "")
	id := s.made("1")
	for _, row := range []struct {
		status dispatch.TicketStatus
		state  string
		word   string
		writes int
	}{
		{dispatch.TicketOpen, "1", "New", 0},
		{dispatch.TicketAcknowledged, "2", "In Progress", 1},
		{dispatch.TicketAcknowledged, "2", "In Progress", 1},
		{dispatch.TicketClosed, "6", "Resolved", 2},
		{dispatch.TicketClosed, "6", "Resolved", 2},
		{dispatch.TicketOpen, "1", "New", 3},
	} {
		out := s.update(t, id, row.status, `{}`)
		got := s.i.Record(id).Columns
		if out.Kind() != dispatch.OutcomeDelivered || got["state"] != row.state || out.Ref().Word != row.word || out.Ref().Shows != row.status || s.writes() != row.writes {
			t.Errorf("%s: %s (%v), state %s after %d writes, ref %+v", row.status, out.Kind(), out.Err(), got["state"], s.writes(), out.Ref())
		}
	}
	if got := s.i.Record(id).Columns; got["close_code"] != "Solution provided" || !strings.HasPrefix(got["close_notes"], "Closed with ticket T-1001") {
		t.Errorf("closed with %q and %q", got["close_code"], got["close_notes"])
	}
	if notes := s.i.Notes(id); len(notes) != 3 || !strings.HasPrefix(notes[0].Text, "Ticket T-1001 of Tocsin is ACKNOWLEDGED") {
		t.Errorf("notes %+v", notes)
	}
}

// TestAlreadyShown: On Hold is looked after, and Canceled is closed; neither is
// written over.
func TestAlreadyShown(t *testing.T) {
	for state, status := range map[string]dispatch.TicketStatus{"3": dispatch.TicketAcknowledged, "7": dispatch.TicketClosed, "8": dispatch.TicketClosed} {
		s := staged(t, instance.Options{}, "")
		if out := s.update(t, s.made(state), status, `{}`); out.Kind() != dispatch.OutcomeDelivered || s.writes() != 0 {
			t.Errorf("state %s: %s (%v) after %d writes", state, out.Kind(), out.Err(), s.writes())
		}
	}
}

// TestCloseState: a close may be Closed instead of Resolved.
func TestCloseState(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	id := s.made("2")
	if out := s.update(t, id, dispatch.TicketClosed, `{"closeState": "7"}`); out.Kind() != dispatch.OutcomeDelivered || s.i.Record(id).Columns["state"] != "7" {
		t.Errorf("%s %v, %+v", out.Kind(), out.Err(), s.i.Record(id))
	}
}

// TestTables: the states of another table have other numbers.
func TestTables(t *testing.T) {
	for table, states := range map[string][3]string{"sn_si_incident": {"10", "16", "3"}, "sc_task": {"1", "2", "3"}} {
		s := staged(t, instance.Options{}, "")
		p := parcel(t, `{"table": "`+table+`"}`)
		ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref()
		for n, status := range []dispatch.TicketStatus{dispatch.TicketOpen, dispatch.TicketAcknowledged, dispatch.TicketClosed} {
			ticket := *p.Ticket
			ticket.Status = status
			out := s.Update(t.Context(), dispatch.StatusUpdate{Ticket: ticket, Link: dispatch.TicketLink{ExternalID: ref.ID, Data: ref.Data}, Settings: p.Settings})
			if got := s.i.Record(ref.ID).Columns["state"]; out.Kind() != dispatch.OutcomeDelivered || got != states[n] {
				t.Errorf("%s, %s: %s (%v), state %s", table, status, out.Kind(), out.Err(), got)
			}
		}
	}
}

// TestNotKept: a write that is answered 200 and not kept is said, with what to do.
func TestNotKept(t *testing.T) {
	for name, row := range map[string]struct {
		o      instance.Options
		state  string
		status dispatch.TicketStatus
		says   string
	}{
		"business rule":    {instance.Options{Undone: []string{"state"}}, "1", dispatch.TicketAcknowledged, "a business rule, a data policy or an access control undoes it"},
		"close":            {instance.Options{Undone: []string{"state"}}, "1", dispatch.TicketClosed, "settings.closeState"},
		"reopen of closed": {instance.Options{Final: true}, "7", dispatch.TicketOpen, "is Closed, which only an administrator may leave"},
		"resolution code":  {instance.Options{CloseCodes: []string{"Duplicate"}}, "2", dispatch.TicketClosed, "Resolution code, Resolution notes; give what is mandatory there by settings.closeCode"},
		"no role":          {instance.Options{NoWrite: true}, "1", dispatch.TicketAcknowledged, "role itil"},
	} {
		s := staged(t, row.o, "")
		out := s.update(t, s.made(row.state), row.status, `{}`)
		if out.Kind() != dispatch.OutcomeRefused || out.IsGone() || !strings.Contains(out.Err().Error(), row.says) {
			t.Errorf("%s: %s %v", name, out.Kind(), out.Err())
		}
	}
}

// TestUpdateGone: a record that was deleted is no failure, before the write or
// during it; one that is only hidden from the user is not gone.
func TestUpdateGone(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	id := s.made("1")
	s.i.Play(fake.Step{Path: incident + "/" + id, Status: http.StatusNotFound, Body: `{"error":{"message":"No Record found","detail":"Record doesn't exist or ACL restricts the record retrieval"},"status":"failure"}`})
	if out := s.update(t, id, dispatch.TicketClosed, `{}`); !out.IsGone() {
		t.Errorf("a 404 of the write: %s %v", out.Kind(), out.Err())
	}
	s.i.Hide(id)
	if out := s.update(t, id, dispatch.TicketClosed, `{}`); out.Kind() != dispatch.OutcomeRefused || out.IsGone() || !strings.Contains(out.Err().Error(), "may not see") {
		t.Errorf("hidden: %s %v", out.Kind(), out.Err())
	}
	s.i.Delete(id)
	if out := s.update(t, id, dispatch.TicketClosed, `{}`); !out.IsGone() {
		t.Errorf("deleted: %s %v", out.Kind(), out.Err())
	}
}

// TestUpdateLater: what passes with time is tried again.
func TestUpdateLater(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	id := s.made("1")
	s.i.Play(fake.Step{Status: 429, Headers: map[string]string{"Retry-After": "30"}}, fake.Step{Status: 503})
	for _, wait := range []time.Duration{30 * time.Second, 0} {
		if out := s.update(t, id, dispatch.TicketClosed, `{}`); out.Kind() != dispatch.OutcomeDeferred || out.Wait() != wait {
			t.Errorf("%s %v, waits %v", out.Kind(), out.Err(), out.Wait())
		}
	}
	s.i.Sleep()
	if out := s.update(t, id, dispatch.TicketClosed, `{}`); out.Kind() != dispatch.OutcomeDeferred {
		t.Errorf("hibernating: %s %v", out.Kind(), out.Err())
	}
	s.i.Wake()
	if out := s.update(t, id, dispatch.TicketClosed, `{}`); out.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("awake: %s %v", out.Kind(), out.Err())
	}
}
