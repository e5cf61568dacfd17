package servicenow

import (
	"cmp"
	"context"
	"fmt"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// Update sets the record's state to what stands for the ticket's status, unless it
// stands for it already. The answer tells whether that was kept: a business rule,
// a data policy or an access control may undo a write that is answered 200.
func (m *messenger) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	s, ok := u.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of ServiceNow", u.Settings))
	}
	if err := s.check(); err != nil {
		return dispatch.Refused(err)
	}
	table := tableOf(&u.Link, s)
	before, out := m.one(ctx, table, u.Link.ExternalID)
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case before.shows() == u.Ticket.Status:
		return dispatch.Delivered(m.ref(before)).Over(out.Exchange())
	}
	after, out := m.write(ctx, table, before.id(), s.change(before.table, u))
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case after.shows() != u.Ticket.Status:
		return dispatch.Refused(unmoved(before, after, u.Ticket.Status)).Over(out.Exchange())
	default:
		return dispatch.Delivered(m.ref(after)).Over(out.Exchange())
	}
}

// change are the columns that carry a status to a record of a table.
func (c *ConfigSettings) change(table string, u dispatch.StatusUpdate) map[string]string {
	columns := map[string]string{columnState: c.stateOf(table, u.Ticket.Status)}
	if c.WorkNotes {
		columns[columnNotes] = fmt.Sprintf("Ticket T-%d of Tocsin is %s. %s", u.Ticket.Number, u.Ticket.Status, u.TicketURL)
	}
	if u.Ticket.Status != dispatch.TicketClosed {
		return columns
	}
	if c.CloseCode != "" {
		columns["close_code"] = c.CloseCode
	}
	if c.CloseNotes != "" {
		columns["close_notes"] = clip.Characters(clean(c.CloseNotes), maxText)
	}
	return columns
}

// stateOf is the number that stands for a status.
func (c *ConfigSettings) stateOf(table string, status dispatch.TicketStatus) string {
	if status == dispatch.TicketClosed && c.CloseState != "" {
		return c.CloseState
	}
	return flowOf(table).sets[status]
}

// unmoved says why a record does not show a status though the write was taken.
func unmoved(before, after *record, status dispatch.TicketStatus) error {
	number := cmp.Or(after.value("number"), after.id())
	switch {
	case after.value(columnState) == "":
		return fmt.Errorf("ServiceNow does not show the state of %s; let the user read the column state", number)
	case flowOf(before.table).final[before.value(columnState)]:
		return fmt.Errorf("%s is %s, which only an administrator may leave; reopen it there, or close the ticket here", number, before.word())
	case status == dispatch.TicketClosed:
		return fmt.Errorf("ServiceNow took the write and left %s at %s: a business rule, a data policy or an access control undoes it; check settings.closeState, closeCode and closeNotes, and let the user set the state", number, after.word())
	default:
		return fmt.Errorf("ServiceNow took the write and left %s at %s: a business rule, a data policy or an access control undoes it; let the user set the state", number, after.word())
	}
}
