package db

import (
	"context"
	"fmt"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// AddNotification implements dispatch.QueueStore.
func (b *books) AddNotification(ctx context.Context, n dispatch.Notification) error {
	return b.writer.write(ctx, noticeLocks(n), func(ctx context.Context, t *tx) error {
		return t.notify(ctx, n)
	})
}

// noticeLocks are held by whoever puts something on the page that may be there once.
func noticeLocks(notices ...dispatch.Notification) []string {
	var names []string
	for _, n := range notices {
		if n.DeliveryID != nil {
			names = append(names, "notice "+*n.DeliveryID)
		}
	}
	return names
}

// MarkNotificationsRead implements dispatch.TicketStore.
func (b *books) MarkNotificationsRead(ctx context.Context, ids []string, now time.Time) (int, error) {
	var unread int64
	err := b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error {
		if err := t.markRead(ctx, ids, ms(now)); err != nil {
			return fmt.Errorf("notifications: %w", err)
		}
		var err error
		unread, err = t.UnreadNotifications(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(unread), nil
}

func (t *tx) markRead(ctx context.Context, ids []string, at int64) error {
	if ids == nil {
		return t.ReadAllNotifications(ctx, &at)
	}
	for _, id := range ids {
		if err := t.ReadNotification(ctx, sqlc.ReadNotificationParams{ID: id, ReadAt: &at}); err != nil {
			return err
		}
	}
	return nil
}
