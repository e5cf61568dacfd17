package servicenow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
	"tocsin/fake"
	instance "tocsin/fake/servicenow"
)

// polls asks until there is no more, and returns what changed and the cursor.
func (s stage) polls(t *testing.T, cursor string) ([]dispatch.StatusChange, string) {
	t.Helper()
	var all []dispatch.StatusChange
	for range 10 {
		p, out := s.Poll(t.Context(), cursor)
		if out.Kind() != dispatch.OutcomeDelivered {
			t.Fatalf("poll: %s %v", out.Kind(), out.Err())
		}
		all, cursor = append(all, p.Changes...), p.Cursor
		if !p.More {
			return all, cursor
		}
	}
	t.Fatal("the poll does not end")
	return nil, ""
}

// TestPoll hears of what people did with our records, and of no others.
func TestPoll(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	id := s.made("1")
	s.i.Add("incident", "tocsin", map[string]string{"state": "6"})
	before := time.Now()
	s.i.SetState(id, "6", "beth.anglin")
	changes, cursor := s.polls(t, "")
	if len(changes) != 1 {
		t.Fatalf("%d changes", len(changes))
	}
	c := changes[0]
	if !slices.Equal(c.Names, []string{id}) || c.Status != dispatch.TicketClosed || c.Word != "Resolved" || !c.Level || c.By != "beth.anglin" ||
		c.AskedAt.Before(before) || c.At.Sub(before).Abs() > 2*time.Second || c.URL == "" {
		t.Errorf("change %+v", c)
	}
	s.i.SetState(id, "1", "TOCSIN")
	if changes, _ := s.polls(t, cursor); len(changes) != 1 || changes[0].By != "" {
		t.Errorf("what we did ourselves is by %+v", changes)
	}
}

// TestPollOneSecond: of 1,001 records that changed within one second, and more in
// the next, none is lost.
func TestPollOneSecond(t *testing.T) {
	at := time.Now().Truncate(time.Second).Add(-time.Minute)
	s := staged(t, instance.Options{Now: func() time.Time { return at }}, "")
	var ids []string
	for range 1001 {
		ids = append(ids, s.made("2"))
	}
	at = at.Add(time.Second)
	ids = append(ids, s.made("2"))
	changes, cursor := s.polls(t, "")
	seen := map[string]bool{}
	for _, c := range changes {
		seen[c.Names[0]] = true
	}
	for n, id := range ids {
		if !seen[id] {
			t.Fatalf("record %d of %d is lost", n, len(ids))
		}
	}
	before := len(s.i.Requests.All())
	s.polls(t, cursor)
	want := "sys_updated_on>=" + at.Add(-overlap).UTC().Format(stamp) + "^"
	if got := s.i.Requests.All()[before].URL.Query().Get("sysparm_query"); !strings.Contains(got, want) {
		t.Errorf("the next poll asks %s, want %s", got, want)
	}
}

// TestPollMovesOn: a record that changes while the pages are read moves those
// behind it forward; none of them is lost.
func TestPollMovesOn(t *testing.T) {
	at := time.Now().Truncate(time.Second).Add(-5 * time.Minute)
	s := staged(t, instance.Options{Now: func() time.Time { return at }}, "")
	seen := map[string]bool{}
	var ids []string
	for n := range 600 {
		if n%10 == 0 {
			at = at.Add(time.Second)
		}
		ids = append(ids, s.made("2"))
	}
	p, out := s.Poll(t.Context(), "")
	if out.Kind() != dispatch.OutcomeDelivered || !p.More {
		t.Fatalf("%s, more %v", out.Kind(), p.More)
	}
	at = at.Add(time.Minute)
	for _, id := range ids[:50] {
		s.i.SetState(id, "6", "beth.anglin")
	}
	rest, _ := s.polls(t, p.Cursor)
	for _, c := range append(p.Changes, rest...) {
		seen[c.Names[0]] = true
	}
	for n, id := range ids {
		if !seen[id] {
			t.Fatalf("record %d is lost", n)
		}
	}
}

// TestPollHidden: a page that is short since the user may not see all of it is not
// taken for the last.
func TestPollHidden(t *testing.T) {
	at := time.Now().Truncate(time.Second)
	s := staged(t, instance.Options{Now: func() time.Time { return at }}, "")
	for range perPage {
		s.i.Hide(s.made("2"))
	}
	last := s.made("6")
	if changes, _ := s.polls(t, ""); len(changes) != 1 || changes[0].Names[0] != last {
		t.Errorf("%d changes", len(changes))
	}
}

// TestPollTable: with task, records of all tables come, each with its own states.
func TestPollTable(t *testing.T) {
	s := staged(t, instance.Options{}, `, "pollTable": "task"`)
	id := s.made("3")
	other := s.i.Add("sn_si_incident", "tocsin", map[string]string{"state": "3", columnDisplay: display})
	changes, _ := s.polls(t, "")
	got := map[string]dispatch.TicketStatus{}
	for _, c := range changes {
		got[c.Names[0]] = c.Status
	}
	if got[id] != dispatch.TicketAcknowledged || got[other] != dispatch.TicketClosed {
		t.Errorf("statuses %v", got)
	}
}

// TestPollKeepsItsPlace: a poll that fails is repeated from where it was, and an
// answer that is none is a failure.
func TestPollKeepsItsPlace(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	_, cursor := s.polls(t, "")
	for _, step := range []fake.Step{{Status: 502, Body: "<html>bad gateway</html>"}, {Status: 200, Body: `{"result": null}`}, {Status: 200, Body: "<html>hibernating</html>"}} {
		s.i.Play(step)
		if p, out := s.Poll(t.Context(), cursor); out.Kind() != dispatch.OutcomeDeferred || p.Cursor != cursor {
			t.Errorf("%+v: %s %v, cursor %q, want %q", step, out.Kind(), out.Err(), p.Cursor, cursor)
		}
	}
}

// TestAsk tells how records stand, with the facts, and which are gone; one that is
// hidden from the user is not said to be.
func TestAsk(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	id, gone := s.made("1"), s.made("1")
	s.i.Set(id, "assigned_to", "Beth Anglin", "admin")
	s.i.Note(id, "Called the\nuser", "beth.anglin")
	s.i.Delete(gone)
	links := []dispatch.TicketLink{{ExternalID: id}, {ExternalID: gone}}
	changes, out := s.Ask(t.Context(), links)
	if out.Kind() != dispatch.OutcomeDelivered || len(changes) != 2 {
		t.Fatalf("%s %v, %d changes", out.Kind(), out.Err(), len(changes))
	}
	want := s.i.Record(id).Columns["number"] + " is New, assigned to Beth Anglin, last work note by beth.anglin: Called the user"
	if c := changes[0]; c.Status != dispatch.TicketOpen || c.Gone || !c.Level || c.Text != want {
		t.Errorf("change %+v", c)
	}
	if c := changes[1]; !c.Gone || !c.Level || c.Names[0] != gone {
		t.Errorf("change %+v", c)
	}
	s.i.Hide(id)
	if changes, _ := s.Ask(t.Context(), links[:1]); len(changes) != 0 {
		t.Errorf("hidden: %+v", changes)
	}
}

// TestAskMany asks for a hundred at a time, and each once.
func TestAskMany(t *testing.T) {
	s := staged(t, instance.Options{NoJournal: true}, "")
	var links []dispatch.TicketLink
	for range 150 {
		id := s.made("2")
		links = append(links, dispatch.TicketLink{ExternalID: id}, dispatch.TicketLink{ExternalID: id})
	}
	changes, out := s.Ask(t.Context(), links)
	if out.Kind() != dispatch.OutcomeDelivered || len(changes) != 150 || len(s.i.Requests.All()) != 2 {
		t.Errorf("%s, %d changes after %d requests", out.Kind(), len(changes), len(s.i.Requests.All()))
	}
}

// TestAskFailed: an answer that is none says of nothing that it is gone.
func TestAskFailed(t *testing.T) {
	for _, body := range []string{
		"", `{}`, `{"result":null}`, "<html>", `{"result":[{"sys_id":`,
		`{"result":[],"error":{"message":"Transaction cancelled: maximum execution time exceeded","detail":null},"status":"failure"}`,
	} {
		s := staged(t, instance.Options{}, "")
		s.i.Play(fake.Step{Status: 200, Body: body})
		changes, out := s.Ask(t.Context(), []dispatch.TicketLink{{ExternalID: s.made("1")}})
		if out.Kind() == dispatch.OutcomeDelivered || len(changes) > 0 {
			t.Errorf("%q: %s with %d changes", body, out.Kind(), len(changes))
		}
	}
}

// TestUnknownState keeps the status and says the state.
func TestUnknownState(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	changes, _ := s.Ask(t.Context(), []dispatch.TicketLink{{ExternalID: s.made("42")}})
	if c := changes[0]; c.Status != "" || c.Word != "state 42" {
		t.Errorf("change %s", fmt.Sprint(c))
	}
}
