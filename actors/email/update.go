package email

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// The values of updates.
const (
	updatesNever  = "NEVER"
	updatesClosed = "CLOSED"
	updatesAlways = "ALWAYS"
)

// Update tells the ticket's new status to all recipients, in the thread of the
// first message. A mail stays what it is, so that the status goes out as another
// one; what the thread was told last, and what the API config does not want told,
// goes out to nobody.
func (m *messenger) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	s, ok := u.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of email", u.Settings))
	}
	if reason := untold(s, u); reason != "" {
		return dispatch.Delivered(dispatch.Ref{}).Over(dispatch.Exchange{Response: "No mail was sent: " + reason + "."})
	}
	return m.send(ctx, m.news(s, u))
}

// untold is why nobody is to hear of a status; "" when all are.
func untold(s *ConfigSettings, u dispatch.StatusUpdate) string {
	switch status := u.Ticket.Status; {
	case s.Updates == updatesNever:
		return "settings.updates is NEVER"
	case s.Updates == updatesClosed && status != dispatch.TicketClosed:
		return "settings.updates is CLOSED, and the ticket is " + string(status)
	case u.Link.Seen == status:
		return "the last that the thread heard is that the ticket is " + string(status)
	default:
		return ""
	}
}

// news is the letter that tells a status.
func (m *messenger) news(s *ConfigSettings, u dispatch.StatusUpdate) *letter {
	l := m.blank(s, dispatch.Parcel{
		DeliveryID: u.DeliveryID, Attempt: u.Attempt, Alert: u.Alert, Ticket: &u.Ticket, TicketURL: u.TicketURL, Link: &u.Link,
	})
	page := newsPage(u)
	l.key, l.body = told(u), body{subject: page.subjectOr(s.Subject), text: page.text(), html: page.html()}.clipped()
	return l
}

// told is the same for each attempt to tell one move, and another when the
// ticket has moved between two attempts: who has the first of them still has to
// get the second.
func told(u dispatch.StatusUpdate) string {
	key := u.DeliveryID + "." + strings.ToLower(string(u.Ticket.Status))
	if at, _ := moved(u.Ticket); at != nil {
		key += "." + strconv.FormatInt(at.UnixMilli(), 10)
	}
	return key
}

// moved says when a ticket became what it is and by whom; nil where the ticket
// does not tell.
func moved(t dispatch.Ticket) (*time.Time, *dispatch.Origin) {
	switch t.Status {
	case dispatch.TicketAcknowledged:
		return t.AcknowledgedAt, t.AcknowledgedBy
	case dispatch.TicketClosed:
		return t.ClosedAt, t.ClosedBy
	default:
		return nil, nil
	}
}

// newsPage has the subject of the first message, since it shows the ticket and
// the alert that the first message showed.
func newsPage(u dispatch.StatusUpdate) page {
	out := pageOf(dispatch.Parcel{Alert: u.Alert, Ticket: &u.Ticket, TicketURL: u.TicketURL})
	out.Summary, out.Description, out.Facts = headline(u.Ticket), out.Summary, nil
	add := func(name, value string) {
		if value = oneLine(value); value != "" {
			out.Facts = append(out.Facts, fact{name, clip.Characters(value, maxFact)})
		}
	}
	add("Status", string(u.Ticket.Status))
	if at, _ := moved(u.Ticket); at != nil {
		add("Since", at.UTC().Format(time.DateTime+" UTC"))
	}
	add("Assignee", value(u.Ticket.Assignee))
	add("Severity", string(u.Ticket.Severity))
	add("Alerts", strconv.Itoa(u.Ticket.AlertCount))
	return out
}

// headline is what has happened, in a sentence.
func headline(t dispatch.Ticket) string {
	what := map[dispatch.TicketStatus]string{
		dispatch.TicketAcknowledged: "was acknowledged", dispatch.TicketClosed: "was closed", dispatch.TicketOpen: "was opened again",
	}[t.Status]
	if _, by := moved(t); by != nil && oneLine(by.Name) != "" {
		what += " by " + clip.Characters(oneLine(by.Name), maxWho)
	}
	return fmt.Sprintf("T-%d %s", t.Number, what)
}

// maxWho is how long a name may be, in characters.
const maxWho = 200
