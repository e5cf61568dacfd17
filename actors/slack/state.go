package slack

import (
	"strings"

	"github.com/slack-go/slack"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// The ids of what a person can click, and the version of what a button's value
// says. A value is not secret, and may be as old as its message.
const (
	buttonBlock  = "tocsin_ticket"
	valueVersion = "1"
)

// button asks for a status.
type button struct {
	action, title string
	asks          dispatch.TicketStatus
	style         slack.Style
}

var (
	acknowledge = button{"acknowledge", "Acknowledge", dispatch.TicketAcknowledged, slack.StylePrimary}
	closing     = button{"close", "Close", dispatch.TicketClosed, slack.StyleDanger}
	reopen      = button{"reopen", "Reopen", dispatch.TicketOpen, slack.StyleDefault}
	allButtons  = []button{acknowledge, closing, reopen}

	// offered are the buttons that a status has, by the table of allowed moves.
	offered = map[dispatch.TicketStatus][]button{
		dispatch.TicketOpen:         {acknowledge, closing},
		dispatch.TicketAcknowledged: {closing, reopen},
		dispatch.TicketClosed:       {reopen},
	}
)

// buttons are those that fit the ticket's status; nil when a click would not be
// heard, or would mean nothing.
func (c content) buttons() *slack.ActionBlock {
	if c.ticket == nil || c.isReply || !c.hasButtons {
		return nil
	}
	var elements []slack.BlockElement
	for _, b := range offered[c.ticket.Status] {
		title := slack.NewTextBlockObject(slack.PlainTextType, b.title, false, false)
		elements = append(elements, slack.NewButtonBlockElement(b.action, valueVersion+":"+c.ticket.ID, title).WithStyle(b.style))
	}
	if elements == nil {
		return nil
	}
	return slack.NewActionBlock(buttonBlock, elements...)
}

// ticketOf is the ticket that a button's value names; false for a value that no
// button of ours has.
func ticketOf(value string) (string, bool) {
	version, ticket, _ := strings.Cut(value, ":")
	return ticket, version == valueVersion && dispatch.IDPrefix(ticket) == dispatch.PrefixTicket
}

// shows is the ticket's status that the message tells, "" when there is none.
func (c content) shows() dispatch.TicketStatus {
	if c.ticket == nil {
		return ""
	}
	return c.ticket.Status
}

// standing says how the ticket stands and who brought it there; "" while it is
// open, and in a reply, which is not changed afterwards.
func (c content) standing() string {
	switch {
	case c.ticket == nil || c.isReply:
		return ""
	case c.ticket.Status == dispatch.TicketAcknowledged:
		return "Acknowledged" + by(c.ticket.AcknowledgedBy)
	case c.ticket.Status == dispatch.TicketClosed:
		return "Closed" + by(c.ticket.ClosedBy)
	default:
		return ""
	}
}

func by(who *dispatch.Origin) string {
	if who == nil || who.Name == "" {
		return ""
	}
	return " by " + oneLine(who.Name)
}

const maxName = 100

// oneLine is a name as one short line.
func oneLine(name string) string {
	return clip.Characters(strings.Join(strings.Fields(name), " "), maxName)
}
