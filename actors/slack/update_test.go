package slack

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	workspace "tocsin/fake/slack"
)

// changed is a parcel's ticket in another status, on its way to its message.
func changed(p dispatch.Parcel, l *dispatch.TicketLink, status dispatch.TicketStatus, by string) dispatch.StatusUpdate {
	who := dispatch.Origin{Kind: dispatch.FromPerson, Name: by}
	ticket := *p.Ticket
	ticket.Status = status
	if status == dispatch.TicketAcknowledged {
		ticket.AcknowledgedBy = &who
	}
	if status == dispatch.TicketClosed {
		ticket.ClosedBy = &who
	}
	return dispatch.StatusUpdate{
		DeliveryID: "dlv_update", Attempt: 1, Ticket: ticket, TicketURL: p.TicketURL, Alert: p.Alert, Link: *l,
		Settings: config(p, "#alerts").Settings,
	}
}

// TestUpdate: the one message follows the ticket, says who moved it and offers
// what can be done next; a repeat changes nothing.
func TestUpdate(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	p := exam.Parcel(1)
	l := delivered(t, m, p)
	for _, row := range []struct {
		status            dispatch.TicketStatus
		by, says, buttons string
	}{
		{dispatch.TicketAcknowledged, "alice", "[Acknowledged by alice] ", "close reopen"},
		{dispatch.TicketAcknowledged, "alice", "[Acknowledged by alice] ", "close reopen"},
		{dispatch.TicketClosed, "<!here> & bob", "[Closed by &lt;!here&gt; &amp; bob] ", "reopen"},
		{dispatch.TicketOpen, "", "", "acknowledge close"},
	} {
		out := m.Update(t.Context(), changed(p, l, row.status, row.by))
		posted := w.Messages()
		if out.Kind() != dispatch.OutcomeDelivered || len(posted) != 1 {
			t.Fatalf("%s: %v %v, %d messages", row.status, out.Kind(), out.Err(), len(posted))
		}
		if want := row.says + p.Alert.Summary; posted[0].Text != want || buttonsOf(posted[0]) != row.buttons {
			t.Errorf("%s: %q with %q, want %q with %q", row.status, posted[0].Text, buttonsOf(posted[0]), want, row.buttons)
		}
		if fact := `*Ticket*\n`; strings.Contains(string(posted[0].Attachments[0]), fact) != (row.says != "") {
			t.Errorf("%s: the facts are %s", row.status, posted[0].Attachments[0])
		}
		if out.Ref().Shows != "" && out.Ref().Shows != row.status {
			t.Errorf("%s: shows %s", row.status, out.Ref().Shows)
		}
	}
	golden(t, "testdata/request-update.json", w, 1)
}

// TestUpdateIsWhole: chat.update keeps what is left out and takes at most 4,000
// characters; without parse it would turn names into mentions.
func TestUpdateIsWhole(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	p := exam.Parcel(1)
	p.Alert.Summary = "@channel " + strings.Repeat("é<", 4_000)
	l := delivered(t, m, p)
	if out := m.Update(t.Context(), changed(p, l, dispatch.TicketClosed, "alice")); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	form, err := url.ParseQuery(string(w.Requests.All()[1].Body))
	if err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCountInString(form.Get("text")); n > 4_000 || !strings.HasSuffix(form.Get("text"), "[cut]") {
		t.Errorf("%d characters of text", n)
	}
	if form.Get("channel") != "C0ALERTS1" || !form.Has("attachments") || w.Messages()[0].Parse != "none" {
		t.Errorf("channel %q, attachments %v, parse %q", form.Get("channel"), form.Has("attachments"), w.Messages()[0].Parse)
	}
}

// TestUpdateOfWhatIsGone: the copy is detached when the message cannot be changed
// any more, and not for anything else.
func TestUpdateOfWhatIsGone(t *testing.T) {
	for code, want := range map[string]bool{
		"message_not_found": true, "cant_update_message": true, "edit_window_closed": true, "is_inactive": true,
		"channel_not_found": true, "is_archived": true, "not_in_channel": true, "msg_too_long": false, "invalid_blocks": false,
	} {
		w := acme(nil)
		m := opened(t, w)
		p := exam.Parcel(1)
		l := delivered(t, m, p)
		w.Play(workspace.Failure(code))
		out := m.Update(t.Context(), changed(p, l, dispatch.TicketClosed, "alice"))
		if out.Kind() != dispatch.OutcomeRefused || out.IsGone() != want || !strings.Contains(out.Err().Error(), code) {
			t.Errorf("%s: %v %v, gone %v", code, out.Kind(), out.Err(), out.IsGone())
		}
	}
	w := acme(nil)
	m := opened(t, w)
	p := exam.Parcel(1)
	l := delivered(t, m, p)
	w.Forget(l.Data["channel"], l.Data["ts"])
	if out := m.Update(t.Context(), changed(p, l, dispatch.TicketClosed, "alice")); !out.IsGone() {
		t.Errorf("deleted by a person: %v %v", out.Kind(), out.Err())
	}
	if out := m.Update(t.Context(), changed(p, &dispatch.TicketLink{}, dispatch.TicketClosed, "alice")); !out.IsGone() {
		t.Errorf("a link without a place: %v %v", out.Kind(), out.Err())
	}
}

// TestUpdateWaits: each shape of a rate limit is waited out as long as it asks.
func TestUpdateWaits(t *testing.T) {
	in200 := workspace.Failure("ratelimited")
	in200.Headers["Retry-After"] = "7"
	for name, row := range map[string]struct {
		step fake.Step
		want time.Duration
	}{
		"429 with time":    {workspace.RateLimited("11"), 11 * time.Second},
		"429 alone":        {workspace.RateLimited(""), pause},
		"429 with text":    {workspace.RateLimited("soon"), pause},
		"200 ratelimited":  {in200, 7 * time.Second},
		"200 rate_limited": {workspace.Failure("rate_limited"), pause},
	} {
		w := acme(nil)
		m := opened(t, w)
		p := exam.Parcel(1)
		l := delivered(t, m, p)
		w.Play(row.step)
		out := m.Update(t.Context(), changed(p, l, dispatch.TicketClosed, "alice"))
		if out.Kind() != dispatch.OutcomeDeferred || out.Wait() != row.want {
			t.Errorf("%s: %v, waits %v, want %v", name, out.Kind(), out.Wait(), row.want)
		}
	}
}

// TestUpdatesKeepTheirPace: fifty a minute, after a short burst, and not in the
// way of what is posted.
func TestUpdatesKeepTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(1200*time.Millisecond, 10)
		start := time.Now()
		for range 12 {
			if _, err := l.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 2400*time.Millisecond {
			t.Errorf("twelve updates took %v, want 2.4s", took)
		}
	})
}
