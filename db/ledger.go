package db

import (
	"context"
	"fmt"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// entry is a line to be added to the ledger; one of its fields is set.
type entry struct {
	ticket        *sqlc.TicketEvent
	delivery      *sqlc.DeliveryEvent
	configuration *sqlc.ConfigurationEvent
	notification  *sqlc.Notification
}

const ledgerCounter = "ledger"

// flushLedger numbers the lines in the order they were noted and writes them.
func (t *tx) flushLedger(ctx context.Context) (err error) {
	if len(t.ledger) == 0 && !t.proving {
		t.id, err = t.engine.identify(ctx, t.session)
		return err
	}
	if t.id, err = t.engine.lockLedger(ctx, t.session); err != nil {
		return fmt.Errorf("lock the ledger: %w", err)
	}
	head, err := t.AddToCounter(ctx, sqlc.AddToCounterParams{Name: ledgerCounter, Add: int64(len(t.ledger))})
	if err != nil {
		return fmt.Errorf("number the ledger: %w", err)
	}
	return t.insertLedger(ctx, head-int64(len(t.ledger)))
}

func (t *tx) insertLedger(ctx context.Context, last int64) error {
	var tickets []sqlc.TicketEvent
	var deliveries []sqlc.DeliveryEvent
	var configuration []sqlc.ConfigurationEvent
	var notifications []sqlc.Notification
	for i, e := range t.ledger {
		seq := last + int64(i) + 1
		switch {
		case e.ticket != nil:
			tickets = append(tickets, *e.ticket)
			tickets[len(tickets)-1].Seq = seq
		case e.delivery != nil:
			deliveries = append(deliveries, *e.delivery)
			deliveries[len(deliveries)-1].Seq = seq
		case e.configuration != nil:
			configuration = append(configuration, *e.configuration)
			configuration[len(configuration)-1].Seq = seq
		default:
			notifications = append(notifications, *e.notification)
			notifications[len(notifications)-1].Seq = seq
		}
	}
	if err := ticketEventTable.insert(ctx, t.session, tickets); err != nil {
		return fmt.Errorf("ticket events: %w", err)
	}
	if err := deliveryEventTable.insert(ctx, t.session, deliveries); err != nil {
		return fmt.Errorf("delivery events: %w", err)
	}
	if err := configurationEventTable.insert(ctx, t.session, configuration); err != nil {
		return fmt.Errorf("configuration events: %w", err)
	}
	if err := notificationTable.insert(ctx, t.session, notifications); err != nil {
		return fmt.Errorf("notifications: %w", err)
	}
	return nil
}

// noteTicket notes what happened to a ticket, from one state of it to the next.
func (t *tx) noteTicket(kind dispatch.TicketEventKind, before *dispatch.Ticket, after dispatch.Ticket, by dispatch.Origin, at time.Time) *sqlc.TicketEvent {
	e := &sqlc.TicketEvent{
		ID: dispatch.NewID(dispatch.PrefixTicketEvent), Kind: text(kind), HappenedAt: ms(at), Origin: encodeOrigin(by),
		TicketID: after.ID, Status: text(after.Status), Severity: rank(after.Severity), Assignee: after.Assignee,
		AssigneeBefore: after.Assignee, TicketVersion: wide(after.Version),
	}
	if before != nil {
		e.StatusBefore = maybe(&before.Status, text)
		e.SeverityBefore = maybe(&before.Severity, rank)
		e.AssigneeBefore = before.Assignee
	}
	t.ledger = append(t.ledger, entry{ticket: e})
	return e
}

// noteDelivery notes that a delivery has come into being, or has changed its
// status, and counts it. No change is no line.
func (t *tx) noteDelivery(id string, before, after dispatch.DeliveryStatus, at time.Time) {
	if before == after {
		return
	}
	t.count(before, after)
	e := &sqlc.DeliveryEvent{HappenedAt: ms(at), DeliveryID: id, Status: text(after)}
	if before != "" {
		e.StatusBefore = maybe(&before, text)
	}
	t.ledger = append(t.ledger, entry{delivery: e})
}

// notify puts a message on the page, once for each delivery.
func (t *tx) notify(ctx context.Context, n dispatch.Notification) error {
	if n.DeliveryID != nil {
		if t.hasNoted(*n.DeliveryID) {
			return nil
		}
		if _, err := t.NotificationOfDelivery(ctx, n.DeliveryID); !isNone(err) {
			return err
		}
	}
	row := notificationRow(n)
	t.ledger = append(t.ledger, entry{notification: &row})
	return nil
}

func (t *tx) hasNoted(deliveryID string) bool {
	for _, e := range t.ledger {
		if e.notification != nil && e.notification.DeliveryID != nil && *e.notification.DeliveryID == deliveryID {
			return true
		}
	}
	return false
}

// from checks that lines after a number are still all there.
func (b *books) from(ctx context.Context, q *sqlc.Queries, seq int64) error {
	kept, err := q.MinRetained(ctx)
	if err != nil {
		return err
	}
	head, err := q.Counter(ctx, ledgerCounter)
	if err != nil {
		return err
	}
	if seq < kept || seq > head {
		return fmt.Errorf("ledger position %d: %w", seq, dispatch.ErrCursorExpired)
	}
	return nil
}

func (b *books) LedgerHead(ctx context.Context) (int64, error) {
	return b.reads.Counter(ctx, ledgerCounter)
}

func (b *books) TicketEventsAfter(ctx context.Context, seq int64, limit int) (lines []dispatch.TicketEvent, err error) {
	err = b.snapshot(ctx, func(q *sqlc.Queries, _ sqlc.DBTX) error {
		if err := b.from(ctx, q, seq); err != nil {
			return err
		}
		rows, err := q.TicketEventsAfter(ctx, sqlc.TicketEventsAfterParams{After: seq, Most: int64(limit)})
		if err != nil {
			return err
		}
		lines, err = each(rows, func(r sqlc.TicketEventsAfterRow) (dispatch.TicketEvent, error) {
			return ticketEventOf(r.TicketEvent, dispatch.TicketSubject{
				Title: r.Title, BehaviorModel: r.BehaviorModel, Key: r.EntityKey, OpenedAt: moment(r.OpenedAt),
			})
		})
		return err
	})
	return lines, err
}

func (b *books) DeliveryEventsAfter(ctx context.Context, seq int64, limit int) (lines []dispatch.DeliveryEvent, err error) {
	err = b.snapshot(ctx, func(q *sqlc.Queries, _ sqlc.DBTX) error {
		if err := b.from(ctx, q, seq); err != nil {
			return err
		}
		rows, err := q.DeliveryEventsAfter(ctx, sqlc.DeliveryEventsAfterParams{After: seq, Most: int64(limit)})
		if err != nil {
			return err
		}
		lines, err = each(rows, deliveryEventOf)
		return err
	})
	return lines, err
}

func deliveryEventOf(r sqlc.DeliveryEventsAfterRow) (dispatch.DeliveryEvent, error) {
	d, err := deliveryOf(r.Delivery)
	return dispatch.DeliveryEvent{
		Seq: r.DeliveryEvent.Seq, At: moment(r.DeliveryEvent.HappenedAt),
		StatusBefore: maybe(r.DeliveryEvent.StatusBefore, word[dispatch.DeliveryStatus]),
		Status:       dispatch.DeliveryStatus(r.DeliveryEvent.Status), Delivery: d,
	}, err
}

func (b *books) ConfigurationEventsAfter(ctx context.Context, seq int64, limit int) (lines []dispatch.ConfigurationEvent, err error) {
	err = b.snapshot(ctx, func(q *sqlc.Queries, _ sqlc.DBTX) error {
		if err := b.from(ctx, q, seq); err != nil {
			return err
		}
		rows, err := q.ConfigurationEventsAfter(ctx, sqlc.ConfigurationEventsAfterParams{After: seq, Most: int64(limit)})
		if err != nil {
			return err
		}
		lines, err = each(rows, configurationEventOf)
		return err
	})
	return lines, err
}

func configurationEventOf(r sqlc.ConfigurationEvent) (dispatch.ConfigurationEvent, error) {
	by, err := decodeOrigin(r.Origin)
	return dispatch.ConfigurationEvent{
		Seq: r.Seq, At: moment(r.HappenedAt), By: by, Kind: dispatch.ChangeKind(r.ChangeKind),
		Type: dispatch.ConfigurationType(r.TargetType), TargetID: r.TargetID, TargetName: r.TargetName, Version: narrow(r.Version),
	}, err
}

func (b *books) NotificationsAfter(ctx context.Context, seq int64, limit int) (lines []dispatch.Notification, err error) {
	err = b.snapshot(ctx, func(q *sqlc.Queries, _ sqlc.DBTX) error {
		if err := b.from(ctx, q, seq); err != nil {
			return err
		}
		rows, err := q.NotificationsAfter(ctx, sqlc.NotificationsAfterParams{After: seq, Most: int64(limit)})
		if err != nil {
			return err
		}
		lines, err = each(rows, notificationOf)
		return err
	})
	return lines, err
}
