package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// repeatKey is what tells idempotency keys apart.
type repeatKey struct{ tokenID, mutation, key string }

func keyedBy(r dispatch.Repeat) repeatKey { return repeatKey{r.TokenID, r.Mutation, r.Key} }

// repeatLock is held by whoever answers to that key.
func repeatLock(r dispatch.Repeat) string {
	return "repeat " + r.TokenID + "\x00" + r.Mutation + "\x00" + r.Key
}

// keptAnswer is what was answered to a key.
type keptAnswer struct {
	repeat dispatch.Repeat
	answer string
	at     time.Time
}

// isNone tells that a query found no row.
func isNone(err error) bool { return errors.Is(err, sql.ErrNoRows) }

func isKeyReused(err error) bool { return errors.Is(err, dispatch.ErrKeyReused) }

// repeated finds the first answer to a key, nil when there is none that is
// still kept. ErrKeyReused when it was to another input.
func (t *tx) repeated(ctx context.Context, r *dispatch.Repeat, now time.Time) (*string, error) {
	if r == nil {
		return nil, nil //nolint:nilnil // without a key there is no answer
	}
	row, err := t.FindRepeat(ctx, sqlc.FindRepeatParams{TokenID: r.TokenID, Mutation: r.Mutation, RepeatKey: r.Key})
	if isNone(err) || (err == nil && row.ExpiresAt <= ms(now)) {
		return nil, nil //nolint:nilnil // an expired answer is replaced
	}
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	if !t.keyring.isMark(row.Input, r.Input) {
		return nil, dispatch.ErrKeyReused
	}
	return &row.Answer, nil
}

// FirstAnswer implements dispatch.ConfigurationStore.
func (b *books) FirstAnswer(ctx context.Context, r dispatch.Repeat, now time.Time) (string, error) {
	var first string
	err := b.snapshot(ctx, func(q *sqlc.Queries, _ sqlc.DBTX) error {
		answer, err := (&tx{Queries: q, keyring: b.keyring}).repeated(ctx, &r, now)
		if answer != nil {
			first = *answer
		}
		return err
	})
	return first, err
}

// remember keeps the answer to a key, if there is one, and forgets a few
// answers that have expired, so that as many go as come.
func (t *tx) remember(ctx context.Context, r *dispatch.Repeat, answer string, now time.Time) error {
	if r == nil {
		return nil
	}
	if err := t.keepAnswer(ctx, *r, answer); err != nil {
		return err
	}
	return t.forgetAnswers(ctx, now, 2)
}

func (t *tx) keepAnswer(ctx context.Context, r dispatch.Repeat, answer string) error {
	err := t.KeepRepeat(ctx, sqlc.KeepRepeatParams{
		TokenID: r.TokenID, Mutation: r.Mutation, RepeatKey: r.Key, Input: t.keyring.mark(r.Input), Answer: answer, ExpiresAt: ms(r.Expires),
	})
	if err != nil {
		return fmt.Errorf("idempotency key: %w", err)
	}
	return nil
}

func (t *tx) forgetAnswers(ctx context.Context, now time.Time, most int) error {
	rows, err := t.ExpiredRepeats(ctx, sqlc.ExpiredRepeatsParams{At: ms(now), Most: int64(most)})
	if err != nil {
		return fmt.Errorf("expired idempotency keys: %w", err)
	}
	for _, row := range rows {
		if err := t.RemoveRepeat(ctx, sqlc.RemoveRepeatParams(row)); err != nil {
			return fmt.Errorf("expired idempotency keys: %w", err)
		}
	}
	return nil
}

// raisedAnswer is how dispatch.Raised is kept.
type raisedAnswer struct {
	AlertID      string
	TicketID     *string
	TicketNumber *int
	TicketStatus *dispatch.TicketStatus
	DeliveryIDs  []string
}

func encodeRaised(r dispatch.Raised) string {
	return encode(raisedAnswer{r.AlertID, r.TicketID, r.TicketNumber, r.TicketStatus, r.DeliveryIDs})
}

func decodeRaised(raw string) (dispatch.Raised, error) {
	a, err := decode[raisedAnswer]("first answer", raw)
	return dispatch.Raised{
		AlertID: a.AlertID, TicketID: a.TicketID, TicketNumber: a.TicketNumber, TicketStatus: a.TicketStatus,
		DeliveryIDs: a.DeliveryIDs, IsRepeat: true,
	}, err
}
