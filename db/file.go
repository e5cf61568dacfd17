package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// openWait is how long opening waits for another process, in milliseconds;
// busyWait how long a transaction does.
const (
	openWait = 2_000
	busyWait = 10_000
)

// forGroups are the settings of the connection that writes groups: one fits into
// its cache, what a statement may have to undo is kept in memory, and pages that
// change with each group are not moved from the log into the file so often.
var forGroups = []string{"cache_size(-16384)", "temp_store(MEMORY)", "wal_autocheckpoint(4000)"}

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
	path, err := realPath(path)
	if err != nil {
		return nil, err
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

// realPath is the one path that a file has, however it is named.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("open the database %s: its folder cannot be used: %w; make it first", path, err)
	}
	path = filepath.Join(folder, filepath.Base(path))
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target, nil
	}
	return path, nil // a new one
}

// lockServer keeps a second server from the same file. The lock ends with the process.
func lockServer(path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path+".server", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w; let this user write its folder", path, err)
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
	if err := inspect(ctx, path); err != nil {
		return nil, err
	}
	pragmas := []string{"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}
	first, err := sql.Open("sqlite", dsn(path, "rwc", openWait, pragmas...))
	if err != nil {
		return nil, err
	}
	first.SetMaxOpenConns(1)
	if err := errors.Join(prepareFile(ctx, first), first.Close()); err != nil {
		return nil, err
	}
	writing, err := sql.Open("sqlite", dsn(path, "rwc", busyWait, append(pragmas, forGroups...)...))
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
	cores := runtime.GOMAXPROCS(0)
	pool.SetMaxOpenConns(2 * cores)
	pool.SetMaxIdleConns(2 * cores)
	lists := newSessions(pool, cores)
	one := &onlyConn{conn: conn, prepared: map[string]*sql.Stmt{}}
	reading := newReaders(pool, true)
	return &books{
		engine: &sqliteEngine, pool: reading, sessions: lists, reads: sqlc.New(reading),
		writer: &writer{
			engine: &sqliteEngine, begin: one.begin,
			// A COMMIT that gave an error has not happened.
			settled: func(context.Context, string) error { return dispatch.ErrUnavailable },
			// Statements are not to be interrupted half-way; a busy file ends the wait.
			patient: func() (context.Context, context.CancelFunc) { return context.WithoutCancel(ctx), func() {} },
		},
		room:    func() error { return proveRoom(filepath.Dir(path)) },
		release: func() error { return errors.Join(lists.close(), reading.Close(), one.close(), writing.Close()) },
	}, nil
}

// proveRoom writes a file of the size that a full group may take, and removes it.
func proveRoom(folder string) error {
	file, err := os.CreateTemp(folder, "tocsin-room-")
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, 1<<20))
	return errors.Join(err, file.Close(), os.Remove(file.Name()))
}

// inspect refuses what is not ours, before anything of it is changed.
func inspect(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := sql.Open("sqlite", dsn(path, "rw", openWait))
	if err != nil {
		return err
	}
	defer db.Close()
	var things, ours int
	const question = "SELECT COUNT(*), COUNT(CASE WHEN name IN ('goose_db_version', 'meta') THEN 1 END) FROM sqlite_master"
	if err := db.QueryRowContext(ctx, question).Scan(&things, &ours); err != nil {
		return err
	}
	if things > 0 && ours == 0 {
		return errors.New("it is the database of another program; give another path")
	}
	return nil
}

func prepareFile(ctx context.Context, db *sql.DB) error {
	// Writes, and takes it back, so that a file that cannot be written is
	// refused even when there is nothing to migrate.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "PRAGMA user_version = 1")
	if err := errors.Join(err, tx.Rollback()); err != nil {
		return err
	}
	return migrate(ctx, db, goose.DialectSQLite3, "sqlite")
}
