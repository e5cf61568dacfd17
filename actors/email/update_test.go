package email

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake/smtp"
)

// linked is a ticket's thread as the hub keeps it after a first delivery.
func linked(p dispatch.Parcel, out dispatch.Outcome) dispatch.TicketLink {
	return dispatch.TicketLink{
		ID: "lnk_1", TicketID: p.Ticket.ID, DeliveryID: p.DeliveryID, ExternalID: out.Ref().ID, Seen: dispatch.TicketOpen,
	}
}

// moving is the update that follows a move of a first delivery's ticket.
func moving(p dispatch.Parcel, link dispatch.TicketLink, status dispatch.TicketStatus) dispatch.StatusUpdate {
	at := p.Alert.OccurredAt.Add(time.Minute)
	by := dispatch.Origin{Kind: dispatch.FromPerson, Name: "alice"}
	t := *p.Ticket
	switch t.Status = status; status {
	case dispatch.TicketAcknowledged:
		t.AcknowledgedAt, t.AcknowledgedBy = &at, &by
	case dispatch.TicketClosed:
		t.ClosedAt, t.ClosedBy = &at, &by
	case dispatch.TicketOpen:
	}
	return dispatch.StatusUpdate{
		DeliveryID: strings.Replace(p.DeliveryID, "dlv_0", "dlv_1", 1), Attempt: 1, Ticket: t, TicketURL: p.TicketURL, Alert: p.Alert, Link: link,
	}
}

// update hands an update over as the hub does, with the words of the delivery
// that made the copy.
func (p *play) update(ctx context.Context, u dispatch.StatusUpdate, first dispatch.Parcel, config string) dispatch.Outcome {
	p.t.Helper()
	u.Settings = rendered(p.t, first, config)
	out := p.m.Update(ctx, u)
	p.search(out)
	return out
}

// opened is a thread that a first message has opened.
func opened(t *testing.T, config string) (*smtp.Server, *play, dispatch.Parcel, dispatch.TicketLink) {
	t.Helper()
	s, p := relay(t)
	first := exam.Parcel(1)
	out := p.deliver(t.Context(), first, config)
	if want(t, out, dispatch.OutcomeDelivered); out.Ref().ID == "" {
		t.Fatal("the thread has no name")
	}
	return s, p, first, linked(first, out)
}

// TestUpdateMessage: what tells of a move, byte for byte.
func TestUpdateMessage(t *testing.T) {
	s, p, first, link := opened(t, to(alice))
	out := p.update(t.Context(), moving(first, link, dispatch.TicketAcknowledged), first, to(alice))
	want(t, out, dispatch.OutcomeDelivered)
	if ref := out.Ref(); ref.ID != link.ExternalID || ref.Shows != "" {
		t.Errorf("ref %+v changes what the thread is called", ref)
	}
	golden(t, "testdata/message-acknowledged.eml", s.Messages.All()[1].Raw)
}

// TestUpdatesSayWho: each move in a sentence, in text and in HTML, with the
// alert and the way to the ticket; texts of others are no tags.
func TestUpdatesSayWho(t *testing.T) {
	for name, row := range map[string]struct {
		status dispatch.TicketStatus
		by     string
		says   string
	}{
		"acknowledged": {dispatch.TicketAcknowledged, "alice", "T-1001 was acknowledged by alice"},
		"closed":       {dispatch.TicketClosed, "PagerDuty", "T-1001 was closed by PagerDuty"},
		"opened again": {dispatch.TicketOpen, "", "T-1001 was opened again"},
		"nobody":       {dispatch.TicketClosed, "", "T-1001 was closed"},
		"hostile":      {dispatch.TicketClosed, "<b>eve</b>\r\nX-Evil: 1", "T-1001 was closed by <b>eve</b> X-Evil: 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, first, link := opened(t, to(alice))
			link.Seen = ""
			u := moving(first, link, row.status)
			for _, by := range []*dispatch.Origin{u.Ticket.AcknowledgedBy, u.Ticket.ClosedBy} {
				if by != nil {
					by.Name = row.by
				}
			}
			want(t, p.update(t.Context(), u, first, to(alice)), dispatch.OutcomeDelivered)
			whole(t, s.Messages.All()[1])
			_, text, html := parts(t, s.Messages.All()[1])
			if line, _, _ := strings.Cut(text, "\r\n"); line != row.says {
				t.Errorf("the text begins with %q, want %q", line, row.says)
			}
			for _, words := range []string{first.Alert.Summary, first.TicketURL} {
				if !strings.Contains(text, words) || !strings.Contains(html, words) {
					t.Errorf("text or HTML lacks %q", words)
				}
			}
		})
	}
}

// TestUpdateIsInTheThread: a mail program shows the first message, an alert that
// joined and each move as one conversation, for each recipient on their own.
func TestUpdateIsInTheThread(t *testing.T) {
	config := `{"to": ["` + alice + `", "` + bob + `"], "subject": "Alarm: {{.Alert.Summary}}"}`
	s, p, first, link := opened(t, config)
	joined := exam.Parcel(2)
	joined.Ticket, joined.Link = first.Ticket, &link
	out := p.deliver(t.Context(), joined, config)
	want(t, out, dispatch.OutcomeDelivered)
	if out.Ref().ID != link.ExternalID {
		t.Errorf("an alert that joined made another copy: %s, not %s", out.Ref().ID, link.ExternalID)
	}
	want(t, p.update(t.Context(), moving(first, link, dispatch.TicketClosed), first, config), dispatch.OutcomeDelivered)
	all := s.Messages.All()
	ids := map[string]bool{}
	for i, m := range all {
		ids[m.Header.Get("Message-Id")] = true
		begun := all[i%2] // the first message to the same recipient
		if m.To[0] != begun.To[0] || m.Header.Get("Subject") != begun.Header.Get("Subject") {
			t.Errorf("message %d to %v, %q, want %v, %q", i, m.To, m.Header.Get("Subject"), begun.To, begun.Header.Get("Subject"))
		}
		above := strings.Fields(m.Header.Get("References"))
		if above[0] != link.ExternalID || above[len(above)-1] != m.Header.Get("In-Reply-To") {
			t.Errorf("message %d stands below %q and answers to %q", i, above, m.Header.Get("In-Reply-To"))
		}
		if i > 1 && m.Header.Get("In-Reply-To") != begun.Header.Get("Message-Id") {
			t.Errorf("message %d answers to %q, want %q", i, m.Header.Get("In-Reply-To"), begun.Header.Get("Message-Id"))
		}
	}
	if len(all) != 6 || len(ids) != 6 {
		t.Errorf("%d messages with %d ids", len(all), len(ids))
	}
}

// TestOlderLinkKeepsItsName: a copy that was named by its first message is not
// made once more.
func TestOlderLinkKeepsItsName(t *testing.T) {
	_, p := relay(t)
	parcel := exam.Parcel(2)
	parcel.Link = &dispatch.TicketLink{DeliveryID: "dlv_old", ExternalID: "<dlv_old.0123456789ab@exam>"}
	if out := p.deliver(t.Context(), parcel, to(alice)); out.Ref().ID != parcel.Link.ExternalID {
		t.Errorf("ref %+v, want %s", out.Ref(), parcel.Link.ExternalID)
	}
}

// TestUpdatesThatAreWanted: the API config says which moves go out; the record
// says why one does not. What the thread said last is not said again.
func TestUpdatesThatAreWanted(t *testing.T) {
	for name, row := range map[string]struct {
		updates string
		status  dispatch.TicketStatus
		seen    dispatch.TicketStatus
		why     string // it is not sent; "" when it is
	}{
		"default":            {``, dispatch.TicketAcknowledged, dispatch.TicketOpen, ""},
		"always":             {`, "updates": "ALWAYS"`, dispatch.TicketOpen, dispatch.TicketClosed, ""},
		"closed, closed":     {`, "updates": "CLOSED"`, dispatch.TicketClosed, dispatch.TicketOpen, ""},
		"closed, looked at":  {`, "updates": "CLOSED"`, dispatch.TicketAcknowledged, dispatch.TicketOpen, "settings.updates is CLOSED, and the ticket is ACKNOWLEDGED"},
		"closed, open again": {`, "updates": "CLOSED"`, dispatch.TicketOpen, dispatch.TicketClosed, "settings.updates is CLOSED"},
		"never":              {`, "updates": "NEVER"`, dispatch.TicketClosed, dispatch.TicketOpen, "settings.updates is NEVER"},
		"to and fro":         {``, dispatch.TicketOpen, dispatch.TicketOpen, "the ticket is OPEN"},
	} {
		t.Run(name, func(t *testing.T) {
			config := `{"to": ["` + alice + `"]` + row.updates + `}`
			s, p, first, link := opened(t, config)
			link.Seen = row.seen
			out := p.update(t.Context(), moving(first, link, row.status), first, config)
			want(t, out, dispatch.OutcomeDelivered)
			if sent := len(s.Messages.All()) == 2; sent != (row.why == "") {
				t.Errorf("sent: %t", sent)
			}
			if row.why != "" && (!strings.Contains(out.Exchange().Response, "No mail was sent: ") || !strings.Contains(out.Exchange().Response, row.why)) {
				t.Errorf("the record %q does not say %q", out.Exchange().Response, row.why)
			}
		})
	}
}

// TestNothingFollows: with updates NEVER the hub is told to expect nothing.
func TestNothingFollows(t *testing.T) {
	_, _, out := sent(t, exam.Parcel(1), `{"to": ["`+alice+`"], "updates": "NEVER"}`)
	if !out.Ref().Loose {
		t.Errorf("ref %+v", out.Ref())
	}
	if !slices.Contains(Kind().Capabilities, dispatch.CanUpdate) {
		t.Error("the kind does not say that it can")
	}
}

// TestUpdateAfterALostAnswer: who has it is not told again, the others get it
// with the id that it had; one bad address keeps it from nobody.
func TestUpdateAfterALostAnswer(t *testing.T) {
	config := to(alice, bob, carol)
	s, p, first, link := opened(t, config)
	s.Play(
		smtp.Step{Phase: smtp.Rcpt, To: carol, Code: 550, Enhanced: "5.1.1", Times: -1},
		smtp.Step{Phase: smtp.Data}, // alice's
		smtp.Step{Phase: smtp.Data, Apply: true, Drop: true},
	)
	u := moving(first, link, dispatch.TicketClosed)
	want(t, p.update(t.Context(), u, first, config), dispatch.OutcomeUncertain, "1 of 3 recipients have it", bob, "550")
	u.Attempt = 2
	u.Ticket.AlertCount, u.Ticket.Version = 9, 9 // an alert joined meanwhile
	want(t, p.update(t.Context(), u, first, config), dispatch.OutcomeDelivered)
	if got := mailed(s)[3:]; !slices.Equal(got, []string{alice, bob, bob}) {
		t.Fatalf("told %v", got)
	}
	all := s.Messages.All()
	if a, b := all[4].Header.Get("Message-Id"), all[5].Header.Get("Message-Id"); a == "" || a != b {
		t.Errorf("the repeat has the id %s, not %s", b, a)
	}
	if len(p.notices) != 1 || *p.notices[0].DeliveryID != u.DeliveryID || !strings.Contains(p.notices[0].Message, carol) {
		t.Errorf("notices %+v", p.notices)
	}
}

// TestUpdateTellsWhatIsTrueNow: a ticket that moved on between two attempts is
// told anew to who has the first of them, under another id.
func TestUpdateTellsWhatIsTrueNow(t *testing.T) {
	config := to(alice, bob)
	s, p, first, link := opened(t, config)
	s.Play(smtp.Step{Phase: smtp.Rcpt, To: bob, Code: 451})
	want(t, p.update(t.Context(), moving(first, link, dispatch.TicketAcknowledged), first, config), dispatch.OutcomeDeferred)
	want(t, p.update(t.Context(), moving(first, link, dispatch.TicketClosed), first, config), dispatch.OutcomeDelivered)
	if got := mailed(s)[2:]; !slices.Equal(got, []string{alice, alice, bob}) {
		t.Fatalf("told %v", got)
	}
	all := s.Messages.All()
	if all[2].Header.Get("Message-Id") == all[3].Header.Get("Message-Id") {
		t.Error("a mail program would take the second for a double of the first")
	}
}

// TestUpdateFails as a delivery does.
func TestUpdateFails(t *testing.T) {
	for name, row := range map[string]struct {
		step smtp.Step
		want dispatch.OutcomeKind
	}{
		"no such user": {smtp.Step{Phase: smtp.Rcpt, Code: 550}, dispatch.OutcomeRefused},
		"greylisted":   {smtp.Step{Phase: smtp.Rcpt, Code: 451}, dispatch.OutcomeDeferred},
		"bad password": {smtp.Step{Phase: smtp.Auth, Code: 535}, dispatch.OutcomeMisconfigured},
		"answer lost":  {smtp.Step{Phase: smtp.Data, Drop: true}, dispatch.OutcomeUncertain},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, first, link := opened(t, to(alice))
			s.Play(row.step)
			out := p.update(t.Context(), moving(first, link, dispatch.TicketClosed), first, to(alice))
			if want(t, out, row.want); out.IsGone() {
				t.Error("a thread is never gone")
			}
		})
	}
}
