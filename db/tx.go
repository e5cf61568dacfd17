package db

import (
	"context"
	"fmt"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// tx is a transaction that writes. What it notes for the ledger and for the
// accounting is written last, by flush.
type tx struct {
	*sqlc.Queries
	session session
	engine  *engine
	keyring *Keyring
	id      string // PostgreSQL's name of it, known after flush

	ledger []entry
	moved  sqlc.AddToAccountingParams
	health map[string]*sqlc.Health // as read, to be written by flush
	// proving writes the ledger's number again when there is no line for it, to
	// show that the books can be written.
	proving bool
}

func newTx(e *engine, k *Keyring, s session) *tx {
	return &tx{Queries: sqlc.New(s), session: s, engine: e, keyring: k, health: map[string]*sqlc.Health{}}
}

// runOne runs a job. In a group, its error undoes what it wrote and nothing else.
func (t *tx) runOne(ctx context.Context, j *job, alone bool) error {
	j.err = nil
	if alone {
		return j.run(ctx, t)
	}
	if err := t.flushHealth(ctx); err != nil {
		return err
	}
	if _, err := t.session.ExecContext(ctx, "SAVEPOINT job"); err != nil {
		return err
	}
	noted, moved := len(t.ledger), t.moved
	if j.err = j.run(ctx, t); j.err != nil {
		if t.engine.isConflict(j.err) || t.engine.isUnavailable(j.err) {
			return j.err
		}
		t.ledger, t.moved = t.ledger[:noted], moved
		clear(t.health)
		if _, err := t.session.ExecContext(ctx, "ROLLBACK TO SAVEPOINT job"); err != nil {
			return err
		}
	}
	_, err := t.session.ExecContext(ctx, "RELEASE SAVEPOINT job")
	return err
}

// flush writes what was noted. The ledger comes last: its lock is held from
// here to the commit, so that its numbers grow in the order of commits.
func (t *tx) flush(ctx context.Context) error {
	if err := t.flushHealth(ctx); err != nil {
		return err
	}
	if t.moved != (sqlc.AddToAccountingParams{}) {
		if err := t.AddToAccounting(ctx, t.moved); err != nil {
			return fmt.Errorf("accounting: %w", err)
		}
	}
	return t.flushLedger(ctx)
}

// promise counts deliveries that were promised, on its own.
func (t *tx) promise(n int) { t.moved.Promised += int64(n) }

// count moves a delivery from one state to another; "" stands for not being.
func (t *tx) count(from, to dispatch.DeliveryStatus) {
	if n := t.state(from); n != nil {
		*n--
	}
	if n := t.state(to); n != nil {
		*n++
	}
}

func (t *tx) state(s dispatch.DeliveryStatus) *int64 {
	switch s {
	case dispatch.Pending:
		return &t.moved.Pending
	case dispatch.Sent:
		return &t.moved.Delivered
	case dispatch.Failed:
		return &t.moved.Failed
	case dispatch.Canceled:
		return &t.moved.Canceled
	case dispatch.Skipped:
		return &t.moved.Skipped
	case dispatch.Uncertain:
		return &t.moved.Uncertain
	default:
		return nil
	}
}
