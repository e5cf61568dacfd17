package db

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"tocsin/db/internal/sqlc"
)

var sqliteEngine = engine{
	contains: "instr",
	indexWords: map[string]string{
		"alerts":  "INSERT INTO alerts_words (rowid, words) SELECT position, words FROM alerts",
		"tickets": "INSERT INTO tickets_words (rowid, words) SELECT number, words FROM tickets",
	},
	// Without statistics SQLite takes a range with two ends for narrower than
	// one more column, and then steps over what the column would have left out.
	indexed: func(index string) string { return " INDEXED BY " + index },
	firstOfEach: func(columns, table, index string, o order) string {
		return "SELECT j.key, " + columns + " FROM json_each($1) AS j CROSS JOIN " + table + " AS x WHERE x." + o.number + " IN (SELECT y." + o.number +
			" FROM " + table + " AS y INDEXED BY " + index + " WHERE y.ticket_id = j.value ORDER BY " + o.by("y") + " LIMIT $2)"
	},
	matching: func(table, placeholder string) string {
		return "SELECT rowid FROM " + table + "_words WHERE " + table + "_words MATCH " + placeholder
	},
	prefixes:      func(words []string) string { return `"` + strings.Join(words, `"* "`) + `"*` },
	lockLedger:    func(context.Context, sqlc.DBTX) (string, error) { return "", nil },
	identify:      func(context.Context, sqlc.DBTX) (string, error) { return "", nil },
	isConflict:    func(error) bool { return false },
	isUnavailable: isSQLiteUnwell,
}

// isSQLiteUnwell tells the errors of the file and the disk from those of a statement.
func isSQLiteUnwell(err error) bool {
	if errors.Is(err, sql.ErrConnDone) {
		return true
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_BUSY, lib.SQLITE_LOCKED,
		lib.SQLITE_NOMEM, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	default:
		return false
	}
}

// onlyConn is the writer's connection, with its statements kept prepared. It is
// used by one transaction at a time.
type onlyConn struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

func (c *onlyConn) begin(ctx context.Context) (session, error) {
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	return &oneTx{onlyConn: c, ctx: ctx}, nil
}

// oneTx is a transaction on the writer's connection.
type oneTx struct {
	*onlyConn
	ctx context.Context //nolint:containedctx // of this transaction; database/sql keeps one in its Tx, too
}

func (t *oneTx) Commit() error { return t.end("COMMIT") }

func (t *oneTx) Rollback() error { return t.end("ROLLBACK") }

func (t *oneTx) end(how string) error {
	_, err := t.ExecContext(t.ctx, how)
	return err
}

// statement is nil when no more statements are to be kept.
func (c *onlyConn) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.prepared[query]; ok || len(c.prepared) >= maxPrepared {
		return s, nil
	}
	s, err := c.conn.PrepareContext(ctx, positional(query))
	if err != nil {
		return nil, err
	}
	c.prepared[query] = s
	return s, nil
}

func (c *onlyConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.conn.ExecContext(ctx, query, args...)
	}
	return s.ExecContext(ctx, args...)
}

func (c *onlyConn) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return c.conn.PrepareContext(ctx, query)
}

func (c *onlyConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.conn.QueryContext(ctx, query, args...)
	}
	return s.QueryContext(ctx, args...)
}

func (c *onlyConn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s, err := c.statement(ctx, query); err == nil && s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return c.conn.QueryRowContext(ctx, query, args...)
}

// forget ends the statements that are kept.
func (c *onlyConn) forget() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	clear(c.prepared)
	return errors.Join(errs...)
}

func (c *onlyConn) close() error { return errors.Join(c.forget(), c.conn.Close()) }
