package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tocsin/db/internal/sqlc"
)

// sessions are connections for reads whose statements are worth keeping on each
// of them: those of a snapshot, and those of the lists. A read has one for
// itself, and none begins while all are in use.
type sessions struct {
	pool *sql.DB
	free chan *onlyConn // nil for one that is not open yet
}

func newSessions(pool *sql.DB, n int) *sessions {
	s := &sessions{pool: pool, free: make(chan *onlyConn, n)}
	for range n {
		s.free <- nil
	}
	return s
}

// use lends a session. Its statements are not interrupted half-way, which would
// cost each a goroutine: all of them are bounded, and a caller that has gone is
// seen before the next. What reads must not ask for a further session.
func (s *sessions) use(ctx context.Context, read func(c whole) error) (err error) {
	var c *onlyConn
	select {
	case <-ctx.Done():
		return ctx.Err()
	case c = <-s.free:
	}
	defer func() { s.free <- c }()
	if c == nil {
		conn, err := s.pool.Conn(ctx)
		if err != nil {
			return fmt.Errorf("read the database: %w", err)
		}
		c = &onlyConn{conn: conn, prepared: map[string]*sql.Stmt{}}
	}
	if len(c.prepared) >= maxPrepared { // lists of ever other fields must not keep the usual ones unprepared
		if err := c.forget(); err != nil {
			return err
		}
	}
	defer func() {
		if errors.Is(err, errBroken) {
			c, err = nil, errors.Join(err, c.close())
		}
	}()
	return read(whole{c})
}

var errBroken = errors.New("the connection is of no more use")

// snapshot runs reads that must see one state of the books.
func (s *sessions) snapshot(ctx context.Context, read func(*sqlc.Queries, sqlc.DBTX) error) error {
	return s.use(ctx, func(c whole) (err error) {
		if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
			return fmt.Errorf("read the database: %w", err)
		}
		defer func() {
			if _, end := c.ExecContext(context.WithoutCancel(ctx), "COMMIT"); end != nil { // nothing was written
				err = errors.Join(err, end, errBroken)
			}
		}()
		return read(sqlc.New(c), c)
	})
}

// whole runs each statement to its end once it has begun.
type whole struct{ *onlyConn }

func (w whole) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return w.onlyConn.ExecContext(context.WithoutCancel(ctx), query, args...)
}

func (w whole) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return w.onlyConn.QueryContext(context.WithoutCancel(ctx), query, args...)
}

func (w whole) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if ctx.Err() == nil {
		ctx = context.WithoutCancel(ctx)
	}
	return w.onlyConn.QueryRowContext(ctx, query, args...)
}

// close ends those that are open. None may be in use.
func (s *sessions) close() error {
	var errs []error
	for range cap(s.free) {
		if c := <-s.free; c != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(errs...)
}
