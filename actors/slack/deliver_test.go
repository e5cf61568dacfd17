package slack

import (
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	workspace "tocsin/fake/slack"
)

// linked is the link that the hub makes of a delivered message.
func linked(out dispatch.Outcome) *dispatch.TicketLink {
	ref := out.Ref()
	return &dispatch.TicketLink{ExternalID: ref.ID, Data: ref.Data, State: dispatch.LinkInSync}
}

// delivered posts a parcel's message and is the link to it.
func delivered(t *testing.T, m *messenger, p dispatch.Parcel) *dispatch.TicketLink {
	t.Helper()
	out := m.Deliver(t.Context(), config(p, "#alerts"))
	if out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	return linked(out)
}

// TestFollowUp: what follows on the same ticket goes into the thread of its
// message, without buttons, and nothing is linked to it.
func TestFollowUp(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	first := exam.Parcel(1)
	second := exam.Parcel(2)
	second.Ticket, second.Link = first.Ticket, delivered(t, m, first)
	out := m.Deliver(t.Context(), config(second, "#alerts"))
	posted := w.Messages()
	if out.Kind() != dispatch.OutcomeDelivered || !out.Ref().Loose || len(posted) != 2 || posted[1].ThreadTS != posted[0].TS {
		t.Fatalf("%v %v, loose %v, messages %+v", out.Kind(), out.Err(), out.Ref().Loose, posted)
	}
	if strings.Contains(string(posted[1].Attachments[0]), `"button"`) {
		t.Error("the follow-up has buttons")
	}
}

// TestFollowUpElsewhere: a message that is gone has no thread, and one in another
// channel than the API config now says is left behind.
func TestFollowUpElsewhere(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	p := exam.Parcel(1)
	p.Link = delivered(t, m, p)
	moved := m.Deliver(t.Context(), config(p, "sre-private"))
	p.Link.State = dispatch.LinkDetached
	anew := m.Deliver(t.Context(), config(p, "#alerts"))
	posted := w.Messages()
	if moved.Ref().Loose || posted[1].Channel != "C0PRIV001" || posted[1].ThreadTS != "" {
		t.Errorf("the channel was changed: %+v, message in %s", moved.Ref(), posted[1].Channel)
	}
	if anew.Ref().Loose || posted[2].ThreadTS != "" {
		t.Errorf("the message is gone: %+v, thread %q", anew.Ref(), posted[2].ThreadTS)
	}
}

// TestLockedThread: a follow-up whose thread takes no replies is a message of its own.
func TestLockedThread(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	p := exam.Parcel(1)
	p.Link = delivered(t, m, p)
	w.Play(workspace.Failure("restricted_action_thread_locked"))
	out := m.Deliver(t.Context(), config(p, "#alerts"))
	if posted := w.Messages(); out.Kind() != dispatch.OutcomeDelivered || out.Ref().Loose || len(posted) != 2 || posted[1].ThreadTS != "" {
		t.Errorf("%v %v, messages %+v", out.Kind(), out.Err(), posted)
	}
}

// TestButtons are those that fit the ticket's status, and none when nobody would
// hear a click or there is no ticket.
func TestButtons(t *testing.T) {
	unheard := map[string]dispatch.Secret{"botToken": token}
	signed := map[string]dispatch.Secret{"botToken": token, "signingSecret": signingSecret}
	socket := map[string]dispatch.Secret{"botToken": token, "appToken": appToken}
	for name, row := range map[string]struct {
		secrets map[string]dispatch.Secret
		status  dispatch.TicketStatus
		want    string
	}{
		"open":         {signed, dispatch.TicketOpen, "acknowledge close"},
		"acknowledged": {socket, dispatch.TicketAcknowledged, "close reopen"},
		"closed":       {signed, dispatch.TicketClosed, "reopen"},
		"unheard":      {unheard, dispatch.TicketOpen, ""},
		"no ticket":    {signed, "", ""},
	} {
		w := acme(nil)
		p := exam.Parcel(1)
		p.Ticket.Status = row.status
		if row.status == "" {
			p.Ticket = nil
		}
		out := openedWith(t, w, row.secrets).Deliver(t.Context(), config(p, "#alerts"))
		if got := buttonsOf(w.Messages()[0]); got != row.want || out.Ref().Shows != row.status {
			t.Errorf("%s: buttons %q, want %q; shows %q", name, got, row.want, out.Ref().Shows)
		}
	}
}

// buttonsOf are the action ids of a message's buttons, in their order.
func buttonsOf(m workspace.Message) string {
	var got []string
	for _, part := range strings.Split(string(m.Attachments[0]), `"action_id":"`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		got = append(got, id)
	}
	return strings.Join(got, " ")
}
