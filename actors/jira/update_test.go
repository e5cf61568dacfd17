package jira

import (
	"strings"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	site "tocsin/fake/jira"
)

// update is the status of a ticket on its way to an issue.
func update(id string, want dispatch.TicketStatus, c ConfigSettings) dispatch.StatusUpdate {
	p := parcel(1)
	c.Project, c.IssueType = "SEC", "Task"
	u := dispatch.StatusUpdate{DeliveryID: "dlv_1", Attempt: 1, Ticket: *p.Ticket, Alert: p.Alert, Settings: &c, Link: dispatch.TicketLink{ExternalID: id}}
	u.Ticket.Status = want
	return u
}

// workflow is one where a close asks for a resolution, and one way leads nowhere useful.
func workflow() site.Project {
	p := site.Simple("SEC")
	p.Statuses = append(p.Statuses, site.Status{ID: "10005", Name: "Waiting", Category: site.InProgress}, site.Status{ID: "10006", Name: "Canceled", Category: site.Done})
	p.Transitions = []site.Transition{
		{ID: "41", Name: "Approve", To: "In Progress", Needs: []string{"customfield_1"}},
		{ID: "51", Name: "Wait", To: "Waiting"},
		{ID: "61", Name: "Start", To: "In Progress"},
		{ID: "71", Name: "Finish", To: "Done", Resolution: true},
		{ID: "81", Name: "Back", From: []string{"Done", "Waiting"}, To: "To Do"},
	}
	return p
}

// TestUpdate: acknowledge, close and reopen go through the workflow, whatever its
// ids are, and a repeat changes nothing.
func TestUpdate(t *testing.T) {
	s := started(t, site.Options{})
	m := opened(t, s)
	id := delivered(t, m, parcel(1)).ID
	for _, step := range []struct {
		want dispatch.TicketStatus
		word string
	}{
		{dispatch.TicketAcknowledged, "In Progress"}, {dispatch.TicketClosed, "Done"}, {dispatch.TicketOpen, "To Do"}, {dispatch.TicketClosed, "Done"},
	} {
		for range 2 {
			out := m.Update(t.Context(), update(id, step.want, ConfigSettings{}))
			if out.Kind() != dispatch.OutcomeDelivered || out.Ref().Word != step.word || out.Ref().Shows != step.want {
				t.Fatalf("%s: %v %v %+v", step.want, out.Kind(), out.Err(), out.Ref())
			}
		}
		if got := s.Issues()[0].Status.Name; got != step.word {
			t.Errorf("%s became %s", step.want, got)
		}
	}
	if n := requests(s, "/transitions"); n != 8 { // one to ask and one to go, four times
		t.Errorf("%d calls about transitions, want 8", n)
	}
}

// TestTransitions: which way is taken, and what is said when none can be.
func TestTransitions(t *testing.T) {
	choose := func(status, name string) ConfigSettings {
		return ConfigSettings{Transitions: map[string]string{status: name}}
	}
	for _, row := range []struct {
		name   string
		want   dispatch.TicketStatus
		config ConfigSettings
		word   string // "" is refused
		says   []string
	}{
		{name: "the first that can be taken", want: dispatch.TicketAcknowledged, word: "Waiting"},
		{name: "by name", want: dispatch.TicketAcknowledged, config: choose("ACKNOWLEDGED", "start"), word: "In Progress"},
		{name: "by id", want: dispatch.TicketAcknowledged, config: choose("ACKNOWLEDGED", "61"), word: "In Progress"},
		{name: "not there", want: dispatch.TicketAcknowledged, config: choose("ACKNOWLEDGED", "Begin"), says: []string{"settings.transitions", "Start (61, to In Progress)"}},
		{name: "leads elsewhere", want: dispatch.TicketAcknowledged, config: choose("ACKNOWLEDGED", "Finish"), says: []string{"settings.transitions", `leads to "Done"`, "category In Progress"}},
		{name: "asks for a field", want: dispatch.TicketAcknowledged, config: choose("ACKNOWLEDGED", "Approve"), says: []string{"customfield_1"}},
		{name: "no resolution", want: dispatch.TicketClosed, says: []string{"settings.resolution", "Won't Do"}},
		{name: "resolution", want: dispatch.TicketClosed, config: ConfigSettings{Resolution: "Won't Do"}, word: "Done"},
		{name: "wrong resolution", want: dispatch.TicketClosed, config: ConfigSettings{Resolution: "Nothing"}, says: []string{"settings.resolution"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := started(t, site.Options{Projects: []site.Project{workflow()}})
			m := opened(t, s)
			id := delivered(t, m, parcel(1)).ID
			out := m.Update(t.Context(), update(id, row.want, row.config))
			if row.word != "" {
				if got := s.Issues()[0]; out.Kind() != dispatch.OutcomeDelivered || got.Status.Name != row.word || got.Resolution != row.config.Resolution {
					t.Errorf("%v %v, the issue is %s (%s)", out.Kind(), out.Err(), got.Status.Name, got.Resolution)
				}
				return
			}
			if out.Kind() != dispatch.OutcomeRefused || out.IsGone() {
				t.Fatalf("%v %v", out.Kind(), out.Err())
			}
			for _, says := range row.says {
				if !strings.Contains(out.Err().Error(), says) {
					t.Errorf("%q does not say %q", out.Err(), says)
				}
			}
		})
	}
}

// TestNoWay: a workflow without a way back names what there is.
func TestNoWay(t *testing.T) {
	p := workflow()
	p.Transitions = p.Transitions[2:4]
	s := started(t, site.Options{Projects: []site.Project{p}})
	m := opened(t, s)
	id := delivered(t, m, parcel(1)).ID
	must(t, s.Move("SEC-1", "Finish", jane))
	out := m.Update(t.Context(), update(id, dispatch.TicketOpen, ConfigSettings{}))
	if out.Kind() != dispatch.OutcomeRefused || !strings.Contains(out.Err().Error(), `from "Done" to the category To Do`) || !strings.Contains(out.Err().Error(), "Start (61") {
		t.Errorf("%v %v", out.Kind(), out.Err())
	}
}

// TestGone: an issue that is not there is gone only for an account that is known;
// for one that is let in as nobody all issues are not there.
func TestGone(t *testing.T) {
	s := started(t, site.Options{LetsIn: true})
	m := opened(t, s)
	id := delivered(t, m, parcel(1)).ID
	nobody := openedWith(t, s, `"email": "`+email+`"`, map[string]dispatch.Secret{"apiToken": "another-token"})
	links := []dispatch.TicketLink{{ExternalID: id}}
	if out := nobody.Update(t.Context(), update(id, dispatch.TicketClosed, ConfigSettings{})); out.Kind() != dispatch.OutcomeMisconfigured {
		t.Errorf("update as nobody: %v %v", out.Kind(), out.Err())
	}
	if changes, out := nobody.Ask(t.Context(), links); out.Kind() != dispatch.OutcomeMisconfigured || len(changes) > 0 {
		t.Errorf("ask as nobody: %v %v %v", out.Kind(), out.Err(), changes)
	}
	must(t, s.Delete("SEC-1", jane))
	if out := m.Update(t.Context(), update(id, dispatch.TicketClosed, ConfigSettings{})); out.Kind() != dispatch.OutcomeRefused || !out.IsGone() {
		t.Errorf("update: %v %v", out.Kind(), out.Err())
	}
	if changes, out := m.Ask(t.Context(), links); out.Kind() != dispatch.OutcomeDelivered || len(changes) != 1 || !changes[0].Gone {
		t.Errorf("ask: %v %v %v", out.Kind(), out.Err(), changes)
	}
}

// TestUpdateFails: what passes is tried again, a lost answer too, for it sets
// what is set; a way that was taken by somebody meanwhile is looked at anew.
func TestUpdateFails(t *testing.T) {
	for name, row := range map[string]struct {
		last fake.Step // at the call that changes, or the path that it says
		want dispatch.OutcomeKind
	}{
		"server error": {fake.Step{Status: 500}, dispatch.OutcomeDeferred},
		"rate limit":   {fake.Step{Status: 429}, dispatch.OutcomeDeferred},
		"conflict":     {fake.Step{Status: 409}, dispatch.OutcomeDeferred},
		"lost":         {fake.Step{Apply: true, Reset: true}, dispatch.OutcomeDeferred},
		"permission":   {fake.Step{Status: 403}, dispatch.OutcomeRefused},
		"token":        {fake.Step{Status: 401}, dispatch.OutcomeMisconfigured},
		"another":      {fake.Step{Path: "/rest/api/3/issue/10001", Status: 200, Body: `{"id":"10002"}`}, dispatch.OutcomeDeferred},
	} {
		t.Run(name, func(t *testing.T) {
			s := started(t, site.Options{})
			m := opened(t, s)
			id := delivered(t, m, parcel(1)).ID
			const way = "/rest/api/3/issue/10001/transitions"
			if row.last.Path == "" {
				row.last.Path = way
			}
			s.Play(fake.Step{Path: way}, row.last)
			if out := m.Update(t.Context(), update(id, dispatch.TicketClosed, ConfigSettings{})); out.Kind() != row.want {
				t.Errorf("%v %v", out.Kind(), out.Err())
			}
		})
	}
	s := started(t, site.Options{Projects: []site.Project{workflow()}})
	m := opened(t, s)
	id := delivered(t, m, parcel(1)).ID
	before, _ := m.read(t.Context(), id)
	must(t, s.Move("SEC-1", "Wait", jane))
	if out := m.move(t.Context(), &ConfigSettings{Resolution: "Nothing"}, before, dispatch.TicketClosed); out.Kind() != dispatch.OutcomeDeferred {
		t.Errorf("moved meanwhile: %v %v", out.Kind(), out.Err())
	}
}
