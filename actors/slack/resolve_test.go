package slack

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	workspace "tocsin/fake/slack"
)

// lost is a parcel of now whose answer was lost: the message is there when
// arrived is true.
func lost(t *testing.T, w *workspace.Workspace, m *messenger, channel string, arrived bool, link *dispatch.TicketLink) dispatch.Parcel {
	t.Helper()
	p := config(exam.Parcel(1), channel)
	p.Alert.ReceivedAt, p.Link = time.Now(), link
	p.Ticket.Status = dispatch.TicketAcknowledged
	w.Play(fake.Step{Apply: arrived, Reset: true})
	if out := m.Deliver(t.Context(), p); out.Kind() != dispatch.OutcomeUncertain {
		t.Fatal(out.Kind(), out.Err())
	}
	return p
}

// TestResolve: after a lost answer the channel's history tells whether the
// message is there; the second answer is as good as the first would have been.
func TestResolve(t *testing.T) {
	for _, channel := range []string{"C0ALERTS1", "#alerts", "sre-private"} {
		w := acme(func(o *workspace.Options) { o.PageSize = 2 })
		m := opened(t, w)
		p := lost(t, w, m, channel, true, nil)
		posted := w.Messages()[0]
		for n := range 5 {
			w.Say("U061F7AUR", posted.Channel, fmt.Sprint("I see it too ", n))
		}
		out := m.Resolve(t.Context(), p)
		ref := out.Ref()
		if out.Kind() != dispatch.OutcomeDelivered || ref.ID != posted.Channel+":"+posted.TS || ref.Data["ts"] != posted.TS || ref.Loose {
			t.Errorf("%s: %v %v, ref %+v", channel, out.Kind(), out.Err(), ref)
		}
		if ref.Shows != dispatch.TicketAcknowledged {
			t.Errorf("%s: shows %q, though it was posted as acknowledged", channel, ref.Shows)
		}
		other := p
		other.DeliveryID = "dlv_another"
		if out := m.Resolve(t.Context(), other); out.Kind() != dispatch.OutcomeRefused {
			t.Errorf("%s: the message of another delivery: %v %v", channel, out.Kind(), out.Err())
		}
	}
}

// TestResolveInThread: a follow-up is not in the channel's history, but in the
// thread, where nothing is linked to it.
func TestResolveInThread(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		w := acme(nil)
		m := opened(t, w)
		root := exam.Parcel(7)
		root.DeliveryID = "dlv_root"
		p := lost(t, w, m, "#alerts", arrived, delivered(t, m, root))
		out := m.Resolve(t.Context(), p)
		if arrived && (out.Kind() != dispatch.OutcomeDelivered || !out.Ref().Loose) {
			t.Errorf("it arrived: %v %v, loose %v", out.Kind(), out.Err(), out.Ref().Loose)
		}
		if !arrived && out.Kind() != dispatch.OutcomeRefused {
			t.Errorf("it did not arrive: %v %v", out.Kind(), out.Err())
		}
	}
}

// TestResolveInVain: where the bot may not look it stays uncertain, so that the
// user's choice decides; what passes is asked again.
func TestResolveInVain(t *testing.T) {
	may := func(scopes ...string) func(*workspace.Options) {
		return func(o *workspace.Options) { o.Scopes = append([]string{"chat:write", "chat:write.public"}, scopes...) }
	}
	for name, row := range map[string]struct {
		change  func(*workspace.Options)
		channel string
		step    fake.Step
		want    dispatch.OutcomeKind
		says    string
	}{
		"no history":      {may("channels:read", "groups:read"), "C0ALERTS1", fake.Step{}, dispatch.OutcomeUncertain, "channels:history"},
		"no names":        {may("channels:history"), "#alerts", fake.Step{}, dispatch.OutcomeUncertain, "channels:read"},
		"private":         {may("channels:history"), "C0PRIV001", fake.Step{}, dispatch.OutcomeUncertain, "groups:history"},
		"not a member":    {may("channels:history", "channels:read", "groups:read"), "#not-joined", fake.Step{}, dispatch.OutcomeUncertain, "no channel called"},
		"a person":        {nil, "U061F7AUR", fake.Step{}, dispatch.OutcomeUncertain, "no channel called"},
		"rate limit":      {nil, "C0ALERTS1", workspace.RateLimited("11"), dispatch.OutcomeDeferred, "429"},
		"outage":          {nil, "C0ALERTS1", workspace.Outage(), dispatch.OutcomeDeferred, "503"},
		"lost once more":  {nil, "C0ALERTS1", fake.Step{Reset: true}, dispatch.OutcomeDeferred, ""},
		"no answer at it": {nil, "C0ALERTS1", fake.Step{Status: 200, Body: "<html>"}, dispatch.OutcomeDeferred, ""},
		"revoked":         {nil, "C0ALERTS1", workspace.Failure("token_revoked"), dispatch.OutcomeMisconfigured, "secrets.botToken"},
	} {
		w := acme(row.change)
		m := opened(t, w)
		p := lost(t, w, m, row.channel, true, nil)
		if row.step.Status != 0 || row.step.Reset {
			w.Play(row.step)
		}
		out := m.Resolve(t.Context(), p)
		if out.Kind() != row.want || !strings.Contains(out.Err().Error(), row.says) {
			t.Errorf("%s: %v %v, want %v that says %q", name, out.Kind(), out.Err(), row.want, row.says)
		}
	}
}

// TestResolveAmongLongMessages: an answer that is cut is asked for in smaller pages.
func TestResolveAmongLongMessages(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	p := lost(t, w, m, "C0ALERTS1", true, nil)
	for range 10 {
		w.Say("U061F7AUR", "C0ALERTS1", strings.Repeat("a long story ", 2_000))
	}
	if out := m.Resolve(t.Context(), p); out.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("%v %v", out.Kind(), out.Err())
	}
	w.Say("U061F7AUR", "C0ALERTS1", strings.Repeat("a very long story ", 5_000))
	if out := m.Resolve(t.Context(), p); out.Kind() != dispatch.OutcomeUncertain {
		t.Errorf("one message is too long: %v %v", out.Kind(), out.Err())
	}
}

// TestResolveGivesUp: in a channel that says more than is looked through, it
// stays uncertain.
func TestResolveGivesUp(t *testing.T) {
	w := acme(func(o *workspace.Options) { o.PageSize = 1 })
	m := opened(t, w)
	p := lost(t, w, m, "C0ALERTS1", true, nil)
	for range mostPages {
		w.Say("U061F7AUR", "C0ALERTS1", "chatter")
	}
	if out := m.Resolve(t.Context(), p); out.Kind() != dispatch.OutcomeUncertain {
		t.Errorf("%v %v", out.Kind(), out.Err())
	}
}
