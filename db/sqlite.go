package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

var sqliteEngine = engine{
	contains: "instr",
	indexWords: map[string]string{
		"alerts":  "INSERT INTO alerts_words (rowid, words) SELECT position, words FROM alerts",
		"tickets": "INSERT INTO tickets_words (rowid, words) SELECT number, words FROM tickets",
	},
	matching: func(table, placeholder string) string {
		return "SELECT rowid FROM " + table + "_words WHERE " + table + "_words MATCH " + placeholder
	},
	prefixes: func(words []string) string { return `"` + strings.Join(words, `"* "`) + `"*` },
	// One writer holds everything still.
	lock:          func(context.Context, sqlc.DBTX, []string) error { return nil },
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

// openWait is how long opening waits for another process, in milliseconds;
// busyWait how long a transaction does.
const (
	openWait = 2_000
	busyWait = 10_000
)

// dsn is the address of a file with settings that every connection gets, the
// patience first.
func dsn(path, mode string, wait int, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", wait)}, pragmas...)}
	if mode == "rwc" {
		q.Set("_txlock", "immediate")
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func openSQLite(ctx context.Context, path string, serve bool) (*books, error) {
	if path == "" {
		return nil, errors.New("open the database: no path; give sqlite:PATH")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("open the database %s: its folder cannot be used: %w; make it first", path, err)
	}
	unlock := func() error { return nil }
	if serve {
		if unlock, err = lockServer(path); err != nil {
			return nil, err
		}
	}
	b, err := openFile(ctx, path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %s: %w", path, explain(err)), unlock())
	}
	release := b.release
	b.release = func() error { return errors.Join(release(), unlock()) }
	return b, nil
}

// lockServer keeps a second server from the same file. The lock ends with the process.
func lockServer(path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path+".server", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %s: another server uses it; stop that one, or give this one a database of its own", path), file.Close())
	}
	return file.Close, nil
}

// explain says what to do about the errors that operators meet.
func explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT:
		return fmt.Errorf("it is not a SQLite file, or it is damaged; give another path, or restore a backup: %w", err)
	case lib.SQLITE_READONLY, lib.SQLITE_PERM:
		return fmt.Errorf("it cannot be written; let this user write the file and its folder: %w", err)
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fmt.Errorf("another process holds it locked; stop that process: %w", err)
	case lib.SQLITE_CANTOPEN:
		return fmt.Errorf("it cannot be opened; let this user read and write the file and its folder: %w", err)
	default:
		return err
	}
}

// openFile migrates the file, then opens the one writer and the readers.
func openFile(ctx context.Context, path string) (*books, error) {
	pragmas := []string{"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}
	first, err := sql.Open("sqlite", dsn(path, "rwc", openWait, pragmas...))
	if err != nil {
		return nil, err
	}
	first.SetMaxOpenConns(1)
	if err := errors.Join(prepareFile(ctx, first), first.Close()); err != nil {
		return nil, err
	}
	writing, err := sql.Open("sqlite", dsn(path, "rwc", busyWait, pragmas...))
	if err != nil {
		return nil, err
	}
	writing.SetMaxOpenConns(1)
	conn, err := writing.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, writing.Close())
	}
	pool, err := sql.Open("sqlite", dsn(path, "ro", busyWait, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, conn.Close(), writing.Close())
	}
	pool.SetMaxOpenConns(runtime.GOMAXPROCS(0))
	pool.SetMaxIdleConns(runtime.GOMAXPROCS(0))
	one := &onlyConn{conn: conn, prepared: map[string]*sql.Stmt{}}
	return &books{
		engine: &sqliteEngine, pool: pool, reads: sqlc.New(pool),
		writer: &writer{
			engine: &sqliteEngine, begin: one.begin,
			// A COMMIT that gave an error has not happened.
			settled: func(context.Context, string) error { return dispatch.ErrUnavailable },
			// Statements are not to be interrupted half-way; a busy file ends the wait.
			patient: func() (context.Context, context.CancelFunc) { return context.WithoutCancel(ctx), func() {} },
		},
		release: func() error { return errors.Join(pool.Close(), one.close(), writing.Close()) },
	}, nil
}

func prepareFile(ctx context.Context, db *sql.DB) error {
	// Takes the lock of a writer, so that a file that cannot be written is
	// refused even when there is nothing to migrate.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "PRAGMA user_version = 1"); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return migrate(ctx, db, goose.DialectSQLite3, "sqlite")
}

// maxPrepared bounds the statements that are kept ready.
const maxPrepared = 500

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
	s, err := c.conn.PrepareContext(ctx, query)
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

func (c *onlyConn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.conn.Close())...)
}
