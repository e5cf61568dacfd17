package sentinelone

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	console "tocsin/fake/sentinelone"
)

func (s stage) update(t *testing.T, id string, status dispatch.TicketStatus, config *ConfigSettings) dispatch.Outcome {
	t.Helper()
	ticket := *exam.Parcel(1).Ticket
	ticket.Status = status
	return s.Update(t.Context(), dispatch.StatusUpdate{
		DeliveryID: "dlv_2", Ticket: ticket, Link: dispatch.TicketLink{ExternalID: id}, Settings: config,
	})
}

// TestUpdate sets each status, also twice, and the verdict with a close.
func TestUpdate(t *testing.T) {
	s := staged(t, console.Options{}, "")
	_, config := parcel(opNote)
	config.CloseVerdict = "false_positive"
	for _, row := range []struct {
		status  dispatch.TicketStatus
		word    string
		verdict string
	}{
		{dispatch.TicketAcknowledged, inProgress, "undefined"},
		{dispatch.TicketClosed, resolved, "false_positive"},
		{dispatch.TicketClosed, resolved, "false_positive"},
		{dispatch.TicketOpen, unresolved, "false_positive"},
	} {
		out := s.update(t, threatID, row.status, config)
		got := s.c.Threat(threatID)
		if out.Kind() != dispatch.OutcomeDelivered || got.Status != row.word || got.Verdict != row.verdict || out.Ref().Shows != row.status {
			t.Errorf("%s: %s (%v), the threat is %s and %s", row.status, out.Kind(), out.Err(), got.Status, got.Verdict)
		}
	}
	if got := len(s.writes()); got != 3 {
		t.Errorf("%d writes, want 3: what is so already is not set again", got)
	}
}

// TestUpdateGone: a threat that is not there any more is no failure.
func TestUpdateGone(t *testing.T) {
	s := staged(t, console.Options{}, "")
	s.c.Remove(threatID)
	_, config := parcel(opNote)
	if out := s.update(t, threatID, dispatch.TicketClosed, config); !out.IsGone() {
		t.Errorf("outcome %s %v", out.Kind(), out.Err())
	}
}

// TestAffectedNothing: no change means already so, gone, or not allowed; the
// threat that is read back tells which.
func TestAffectedNothing(t *testing.T) {
	none := fake.Step{Path: base + "/threats/incident", Status: 200, Body: `{"data":{"affected":0}}`}
	for name, row := range map[string]struct {
		step fake.Step
		want dispatch.OutcomeKind
		says string
	}{
		"set meanwhile":    {fake.Step{Path: none.Path, Apply: true, Status: 200, Body: none.Body}, dispatch.OutcomeDelivered, ""},
		"answered nothing": {fake.Step{Path: none.Path, Apply: true, Status: 204}, dispatch.OutcomeDelivered, ""},
		"not allowed":      {none, dispatch.OutcomeRefused, rightStatus},
	} {
		s := staged(t, console.Options{}, "")
		_, config := parcel(opNote)
		s.c.Play(row.step)
		out := s.update(t, threatID, dispatch.TicketClosed, config)
		if out.Kind() != row.want || out.Err() != nil && !strings.Contains(out.Err().Error(), row.says) {
			t.Errorf("%s: outcome %s %v", name, out.Kind(), out.Err())
		}
	}
}

// TestPermission: what the role lacks is named, and pauses nothing else.
func TestPermission(t *testing.T) {
	s := staged(t, console.Options{Lacking: []string{rightStatus}}, "")
	_, config := parcel(opNote)
	out := s.update(t, threatID, dispatch.TicketClosed, config)
	if out.Kind() != dispatch.OutcomeRefused || !strings.Contains(out.Err().Error(), rightStatus) {
		t.Errorf("outcome %s %v", out.Kind(), out.Err())
	}
}

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

// TestPoll hears of a close, and does not hide it by a filter.
func TestPoll(t *testing.T) {
	s := staged(t, console.Options{}, "")
	_, cursor := s.polls(t, "")
	before := time.Now()
	s.c.SetStatus(threatID, resolved)
	changes, _ := s.polls(t, cursor)
	if len(changes) != 1 {
		t.Fatalf("%d changes", len(changes))
	}
	c := changes[0]
	if !slices.Equal(c.Names, []string{threatID}) || c.Status != dispatch.TicketClosed || c.Word != resolved || !c.Level || c.Text != "" ||
		!c.At.Equal(s.c.Threat(threatID).UpdatedAt) || c.AskedAt.Before(before) {
		t.Errorf("change %+v", c)
	}
	for _, r := range s.c.Requests.All() {
		if q := r.URL.Query(); q.Has("resolved") || q.Get("sortBy") != "updatedAt" || q.Get("skipCount") != "true" {
			t.Errorf("asked %s", r.URL.RawQuery)
		}
	}
}

// TestPollMany: of 1,001 threats that changed between two polls none is lost,
// and the next poll begins five minutes before the latest of them.
func TestPollMany(t *testing.T) {
	s := staged(t, console.Options{}, "")
	_, cursor := s.polls(t, "")
	for n := range 1001 {
		s.c.AddThreat(console.Threat{ID: numbered(n), HostID: hostID, Status: resolved})
	}
	changes, cursor := s.polls(t, cursor)
	seen := map[string]bool{}
	for _, c := range changes {
		seen[c.Names[0]] = true
	}
	for n := range 1001 {
		if !seen[numbered(n)] {
			t.Fatalf("threat %d of %d is lost", n, 1001)
		}
	}
	s.polls(t, cursor)
	last := s.c.Threat(numbered(1000)).UpdatedAt.Add(-overlap).Format(stamp)
	all := s.c.Requests.All()
	if got := all[len(all)-1].URL.Query().Get("updatedAt__gte"); got != last {
		t.Errorf("the next poll asks from %s, want %s", got, last)
	}
}

// TestStaleCursor: a cursor that the console has forgotten begins the list again.
func TestStaleCursor(t *testing.T) {
	s := staged(t, console.Options{}, "")
	for n := range 1001 {
		s.c.AddThreat(console.Threat{ID: numbered(n), HostID: hostID})
	}
	p, out := s.Poll(t.Context(), "")
	if out.Kind() != dispatch.OutcomeDelivered || !p.More {
		t.Fatalf("%s, more %v", out.Kind(), p.More)
	}
	s.c.ForgetCursors()
	if changes, _ := s.polls(t, p.Cursor); len(changes) != 1002 {
		t.Errorf("%d changes after a stale cursor, want all 1002", len(changes))
	}
}

// TestCursorsNeverKnown: a console that forgets each cursor at once is not asked
// without end.
func TestCursorsNeverKnown(t *testing.T) {
	s := staged(t, console.Options{}, "")
	for n := range 1001 {
		s.c.AddThreat(console.Threat{ID: numbered(n), HostID: hostID})
	}
	cursor := ""
	for n := range 4 {
		s.c.ForgetCursors()
		p, out := s.Poll(t.Context(), cursor)
		if out.Kind() != dispatch.OutcomeDelivered || p.More != (n < 3) {
			t.Fatalf("poll %d: %s %v, more %v", n, out.Kind(), out.Err(), p.More)
		}
		cursor = p.Cursor
	}
	if changes, _ := s.polls(t, cursor); len(changes) != 1002 {
		t.Errorf("%d changes once cursors are known, want all 1002", len(changes))
	}
}

// TestPollKeepsItsPlace: a poll that fails is repeated from where it was.
func TestPollKeepsItsPlace(t *testing.T) {
	s := staged(t, console.Options{}, "")
	_, cursor := s.polls(t, "")
	s.c.Play(fake.Step{Status: 502, Body: "<html>bad gateway</html>"})
	p, out := s.Poll(t.Context(), cursor)
	if out.Kind() != dispatch.OutcomeDeferred || p.Cursor != cursor {
		t.Errorf("%s, cursor %q, want %q", out.Kind(), p.Cursor, cursor)
	}
}

// TestAsk tells how threats stand, with the facts, and which are gone.
func TestAsk(t *testing.T) {
	s := staged(t, console.Options{}, "")
	s.c.SetVerdict(threatID, "true_positive")
	gone := numbered(7)
	changes, out := s.Ask(t.Context(), []dispatch.TicketLink{{ExternalID: threatID}, {ExternalID: gone}})
	if out.Kind() != dispatch.OutcomeDelivered || len(changes) != 2 {
		t.Fatalf("%s %v, %d changes", out.Kind(), out.Err(), len(changes))
	}
	const facts = "classification Malware, verdict true_positive, status unresolved, mitigation not_mitigated, host WS-0142 connected"
	if c := changes[0]; c.Status != dispatch.TicketOpen || c.Gone || !c.Level || c.Text != facts {
		t.Errorf("change %+v", c)
	}
	if c := changes[1]; !c.Gone || !c.Level || c.Names[0] != gone {
		t.Errorf("change %+v", c)
	}
}

// TestAskFailed: an answer that is none says of nothing that it is gone.
func TestAskFailed(t *testing.T) {
	for _, body := range []string{"", `{}`, `{"data":null}`, "<html>", `{"data":[{"id":`} {
		s := staged(t, console.Options{}, "")
		s.c.Play(fake.Step{Status: 200, Body: body})
		changes, out := s.Ask(t.Context(), []dispatch.TicketLink{{ExternalID: threatID}})
		if out.Kind() == dispatch.OutcomeDelivered || len(changes) > 0 {
			t.Errorf("%q: %s with %d changes", body, out.Kind(), len(changes))
		}
	}
}

// TestUnknownStatus keeps the last one.
func TestUnknownStatus(t *testing.T) {
	s := staged(t, console.Options{}, "")
	s.c.SetStatus(threatID, "on_hold")
	changes, _ := s.Ask(t.Context(), []dispatch.TicketLink{{ExternalID: threatID}})
	if c := changes[0]; c.Status != "" || c.Word != "on_hold" {
		t.Errorf("change %s", fmt.Sprint(c))
	}
}
