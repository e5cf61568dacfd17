package pagerduty

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	account "tocsin/fake/pagerduty"
)

const ours = `"from": "alert-dispatch@example.com"`

// TestUpdate: whatever the incident shows, an update and its repeat leave it as
// the ticket is, with the key that made it.
func TestUpdate(t *testing.T) {
	open, acknowledged, closed := dispatch.TicketOpen, dispatch.TicketAcknowledged, dispatch.TicketClosed
	for _, row := range []struct {
		seen, want dispatch.TicketStatus
		incidents  string
	}{
		{open, open, "triggered"},
		{open, acknowledged, "acknowledged"},
		{open, closed, "resolved"},
		{acknowledged, open, "triggered"},
		{acknowledged, acknowledged, "acknowledged"},
		{acknowledged, closed, "resolved"},
		{closed, open, "resolved triggered"}, // what is resolved stays so
		{closed, acknowledged, "resolved acknowledged"},
		{closed, closed, "resolved"},
	} {
		a := started(t, account.Options{APIKey: token})
		m := openedWith(t, a, ours, hookSecrets(token)).(*messenger)
		trigger(t, m, 1)
		if row.seen != open {
			updated(t, m, 1, open, row.seen)
		}
		for range 2 {
			ref := updated(t, m, 1, row.seen, row.want)
			if statuses[ref.Word] != row.want || (ref.ID != "" && ref.ID != "srv-1:"+exam.Parcel(1).Ticket.ID) {
				t.Errorf("%s to %s: ref %+v", row.seen, row.want, ref)
			}
		}
		var got []string
		for _, i := range a.Incidents() {
			got = append(got, i.Status)
		}
		if strings.Join(got, " ") != row.incidents {
			t.Errorf("%s to %s: incidents are %v, want %s", row.seen, row.want, got, row.incidents)
		}
	}
}

// TestUpdateSaysAgain: an incident that takes the place of a resolved one has all
// that the first one had, and the key of the copy even when the ticket is another.
func TestUpdateSaysAgain(t *testing.T) {
	a := started(t, account.Options{})
	m := opened(t, a, hookSecrets("")).(*messenger)
	trigger(t, m, 1)
	updated(t, m, 1, dispatch.TicketOpen, dispatch.TicketClosed)
	u := update(1, dispatch.TicketClosed, dispatch.TicketOpen)
	u.Ticket.ID = "tkt_of-its-successor"
	if out := m.Update(t.Context(), u); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	all := a.Incidents()
	first, second := all[0].Alerts[0].Event, all[1].Alerts[0].Event
	if second.ClientURL == "" || second.ClientURL != first.ClientURL || second.Payload.Summary != first.Payload.Summary || second.DedupKey != first.DedupKey {
		t.Errorf("the second alert is %+v, the first was %+v", second, first)
	}
}

// TestFollowUp joins the copy's alert, and does not take its acknowledgement back.
func TestFollowUp(t *testing.T) {
	a := started(t, account.Options{})
	m := opened(t, a, hookSecrets("")).(*messenger)
	trigger(t, m, 1)
	updated(t, m, 1, dispatch.TicketOpen, dispatch.TicketAcknowledged)
	p := config(exam.Parcel(2))
	p.Link = &dispatch.TicketLink{ExternalID: "srv-1:" + exam.Parcel(1).Ticket.ID, Seen: dispatch.TicketAcknowledged}
	out := m.Deliver(t.Context(), p)
	if out.Ref().ID != p.Link.ExternalID || out.Ref().Shows != dispatch.TicketAcknowledged {
		t.Errorf("outcome %v, ref %+v", out.Kind(), out.Ref())
	}
	if all := a.Incidents(); len(all) != 1 || all[0].Alerts[0].Events != 3 || all[0].Status != account.Acknowledged {
		t.Errorf("incidents %+v", all)
	}
}

// TestFollowUpOfResolved opens an incident anew and says so, so that one of a
// ticket that is closed does not stay open.
func TestFollowUpOfResolved(t *testing.T) {
	a := started(t, account.Options{})
	m := opened(t, a, hookSecrets("")).(*messenger)
	trigger(t, m, 1)
	updated(t, m, 1, dispatch.TicketOpen, dispatch.TicketClosed)
	p := config(exam.Parcel(2))
	p.Link = &dispatch.TicketLink{ExternalID: "srv-1:" + exam.Parcel(1).Ticket.ID, Seen: dispatch.TicketClosed}
	if out := m.Deliver(t.Context(), p); out.Ref().Shows != dispatch.TicketOpen {
		t.Errorf("outcome %v, ref %+v", out.Kind(), out.Ref())
	}
	if all := a.Incidents(); len(all) != 2 || all[1].Status != account.Triggered {
		t.Errorf("incidents %+v", all)
	}
}

// TestUpdateAfterLostAnswer: a status that was set there, though its answer was
// lost, is not what the link says. Whether it arrived or not, the last incident
// is as the ticket is.
func TestUpdateAfterLostAnswer(t *testing.T) {
	open, acknowledged, closed := dispatch.TicketOpen, dispatch.TicketAcknowledged, dispatch.TicketClosed
	for _, row := range []struct {
		lost, want dispatch.TicketStatus
		arrived    bool
		token      dispatch.Secret
		last       string
	}{
		{closed, open, true, "", account.Triggered},
		{closed, open, false, "", account.Triggered},
		{closed, acknowledged, true, "", account.Acknowledged},
		{closed, acknowledged, false, "", account.Acknowledged},
		{acknowledged, open, true, token, account.Triggered},
		{acknowledged, open, false, token, account.Triggered},
	} {
		for _, how := range []string{"echo to come", "echo come"} {
			a := started(t, account.Options{APIKey: token})
			m := openedWith(t, a, ours, hookSecrets(row.token)).(*messenger)
			trigger(t, m, 1)
			if row.arrived {
				updated(t, m, 1, open, row.lost)
			}
			u := update(1, open, row.want)
			wrote := time.Now().Add(-time.Hour)
			u.Link.WroteAt = &wrote
			if how == "echo to come" {
				u.Link.Echoes = []dispatch.Written{{Status: open, At: wrote}, {Status: row.lost, At: wrote.Add(time.Minute)}}
			} else {
				word := map[dispatch.TicketStatus]string{acknowledged: wordAcknowledged, closed: wordResolved}[row.lost]
				u.Link.ExternalStatus = &word
			}
			if out := m.Update(t.Context(), u); out.Kind() != dispatch.OutcomeDelivered {
				t.Fatalf("%+v, %s: %v", row, how, out.Err())
			}
			all := a.Incidents()
			if got := all[len(all)-1].Status; got != row.last {
				t.Errorf("%+v, %s: the last of %d incidents is %s", row, how, len(all), got)
			}
		}
	}
}

// TestTakeBackTooEarly: an incident is not there at once, and the one before it
// says nothing of it; a moment later the answer is another.
func TestTakeBackTooEarly(t *testing.T) {
	for _, opened := range []int{1, 2} {
		now := time.Now()
		a := started(t, account.Options{APIKey: token, IncidentDelay: time.Minute, Now: func() time.Time { return now }})
		m := openedWith(t, a, ours, hookSecrets(token)).(*messenger)
		for n := range opened {
			if n > 0 {
				updated(t, m, 1, dispatch.TicketOpen, dispatch.TicketClosed)
				now = now.Add(time.Hour)
			}
			trigger(t, m, 1)
		}
		updated(t, m, 1, dispatch.TicketOpen, dispatch.TicketAcknowledged)
		u := update(1, dispatch.TicketAcknowledged, dispatch.TicketOpen)
		wrote := time.Now()
		u.Link.WroteAt = &wrote
		if out := m.Update(t.Context(), u); out.Kind() != dispatch.OutcomeDeferred || out.Wait() != settling {
			t.Errorf("the %d. incident: %v %v, to try in %s", opened, out.Kind(), out.Err(), out.Wait())
		}
		now = now.Add(time.Hour)
		if out := m.Update(t.Context(), u); out.Kind() != dispatch.OutcomeDelivered {
			t.Errorf("the %d. incident, later: %v %v", opened, out.Kind(), out.Err())
		}
		if all := a.Incidents(); len(all) != opened || all[opened-1].Status != account.Triggered {
			t.Errorf("incidents %+v", all)
		}
	}
}

// TestTakeBack: only the REST API can take an acknowledgement back, in the name
// of a user. Without it the refusal says what to do; no refusal pauses the actor,
// as alerts go out all the same.
func TestTakeBack(t *testing.T) {
	for _, row := range []struct {
		name, settings string
		token          dispatch.Secret
		o              account.Options
		step           fake.Step
		want           dispatch.OutcomeKind
		says           string
	}{
		{name: "no token", settings: ours, want: dispatch.OutcomeRefused, says: "secrets.token and settings.from"},
		{name: "no user", token: token, want: dispatch.OutcomeRefused, says: "secrets.token and settings.from"},
		{name: "other token", settings: ours, token: "u+another-token", want: dispatch.OutcomeRefused, says: "secrets.token is not accepted"},
		{name: "may only read", settings: ours, token: token, o: account.Options{ReadOnly: true}, want: dispatch.OutcomeRefused, says: "secrets.token is not accepted"},
		{name: "nobody's email", settings: `"from": "nobody@example.com"`, token: token, want: dispatch.OutcomeRefused, says: "settings.from is not the email of a user"},
		{name: "nothing found", settings: ours, token: token, step: fake.Step{Path: "/incidents", Status: 200, Body: `{"incidents":[]}`}, want: dispatch.OutcomeRefused, says: "sees no incident"},
		{name: "busy", settings: ours, token: token, step: fake.Step{Path: "/incidents", Status: 429}, want: dispatch.OutcomeDeferred},
		{name: "question lost", settings: ours, token: token, step: fake.Step{Path: "/incidents", Reset: true, Times: -1}, want: dispatch.OutcomeDeferred},
		{name: "of the account", settings: ours, token: token, o: account.Options{AccountKey: true}, want: dispatch.OutcomeDelivered},
	} {
		row.o.APIKey = token
		a := started(t, row.o)
		m := openedWith(t, a, row.settings, hookSecrets(row.token)).(*messenger)
		trigger(t, m, 1)
		updated(t, m, 1, dispatch.TicketOpen, dispatch.TicketAcknowledged)
		a.Play(row.step)
		out := m.Update(t.Context(), update(1, dispatch.TicketAcknowledged, dispatch.TicketOpen))
		if out.Kind() != row.want || (row.says != "" && !strings.Contains(out.Err().Error(), row.says)) {
			t.Errorf("%s: %v %v, want %v", row.name, out.Kind(), out.Err(), row.want)
		}
		want := account.Acknowledged
		if row.want == dispatch.OutcomeDelivered {
			want = account.Triggered
			if out.Ref().URL == "" || !slices.Equal(out.Ref().Also, []string{"Q0000000000001"}) {
				t.Errorf("%s: ref %+v", row.name, out.Ref())
			}
		}
		if got := a.Incidents()[0].Status; got != want {
			t.Errorf("%s: the incident is %s, want %s", row.name, got, want)
		}
	}
}

// TestTakeBackMeetsAPerson: the incident was resolved, or triggered again, before
// our call came, or while it was on its way.
func TestTakeBackMeetsAPerson(t *testing.T) {
	for _, row := range []struct {
		name   string
		before func(*account.Account) error
		answer string // of the PUT
		want   dispatch.OutcomeKind
	}{
		{"resolved before", func(a *account.Account) error { return a.Resolve("Q0000000000001", "PUSR001") }, "", dispatch.OutcomeDelivered},
		{"timed out before", func(a *account.Account) error { return a.AckTimeout("Q0000000000001") }, "", dispatch.OutcomeDelivered},
		{"resolved meanwhile", nil, string(restFile(t, "400.already-resolved")), dispatch.OutcomeDeferred},
		{"resolved meanwhile, by code", nil, `{"error":{"message":"x","code":1001}}`, dispatch.OutcomeDeferred},
		{"timed out meanwhile", nil, `{"error":{"message":"Incident is not acknowledged","code":1012}}`, dispatch.OutcomeDelivered},
	} {
		a := started(t, account.Options{APIKey: token})
		m := openedWith(t, a, ours, hookSecrets(token)).(*messenger)
		trigger(t, m, 1)
		updated(t, m, 1, dispatch.TicketOpen, dispatch.TicketAcknowledged)
		if row.before != nil {
			must(t, row.before(a))
		}
		if row.answer != "" { // the question is answered as ever, the PUT of the same path is not
			found, _ := m.incidentOf(t.Context(), "srv-1:"+exam.Parcel(1).Ticket.ID)
			a.Play(fake.Step{Path: "/incidents", Status: 400, Body: row.answer, Headers: map[string]string{"Content-Type": "application/json"}})
			if out := m.put(t.Context(), found); out.Kind() != row.want {
				t.Errorf("%s: %v %v, want %v", row.name, out.Kind(), out.Err(), row.want)
			}
			continue
		}
		updated(t, m, 1, dispatch.TicketAcknowledged, dispatch.TicketOpen)
		all := a.Incidents()
		if got := all[len(all)-1].Status; got != account.Triggered {
			t.Errorf("%s: the last incident is %s", row.name, got)
		}
	}
}
