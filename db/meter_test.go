package db

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"tocsin/db/internal/sqlc"
)

// asked is a statement as the database was asked it.
type asked struct {
	statement string
	args      []any
}

// recorder notes what is asked of a database.
type recorder struct {
	sqlc.DBTX
	asked []asked
}

func (r *recorder) QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	r.asked = append(r.asked, asked{statement, args})
	return r.DBTX.QueryContext(ctx, statement, args...)
}

func (r *recorder) QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row {
	r.asked = append(r.asked, asked{statement, args})
	return r.DBTX.QueryRowContext(ctx, statement, args...)
}

// meter runs statements on a SQLite file and counts what SQLite does for them:
// its library counts, but database/sql does not tell.
type meter struct {
	tls           *libc.TLS
	db, statement uintptr // here, as the library must find them where they are
}

func newMeter(t *testing.T, path string) *meter {
	t.Helper()
	m := &meter{tls: libc.NewTLS()}
	name, err := libc.CString(path)
	if err != nil {
		t.Fatal(err)
	}
	defer libc.Xfree(m.tls, name)
	if rc := lib.Xsqlite3_open_v2(m.tls, name, uintptr(unsafe.Pointer(&m.db)), lib.SQLITE_OPEN_READONLY, 0); rc != lib.SQLITE_OK {
		t.Fatalf("open %s: %d", path, rc)
	}
	t.Cleanup(func() {
		lib.Xsqlite3_close_v2(m.tls, m.db)
		m.tls.Close()
	})
	return m
}

// work is what a statement took.
type work struct {
	rows  int // that it gave
	steps int // of SQLite's machine; a row that is looked at takes at least a few
	scans int // steps forward in tables without the help of an index
	sorts int
}

func (m *meter) run(a asked) (w work, err error) {
	text, err := libc.CString(a.statement)
	if err != nil {
		return w, err
	}
	defer libc.Xfree(m.tls, text)
	if rc := lib.Xsqlite3_prepare_v2(m.tls, m.db, text, -1, uintptr(unsafe.Pointer(&m.statement)), 0); rc != lib.SQLITE_OK {
		return w, fmt.Errorf("prepare %s: %s", a.statement, libc.GoString(lib.Xsqlite3_errmsg(m.tls, m.db)))
	}
	defer lib.Xsqlite3_finalize(m.tls, m.statement)
	free, err := m.bind(a.args)
	defer free()
	if err != nil {
		return w, err
	}
	for {
		switch rc := lib.Xsqlite3_step(m.tls, m.statement); rc {
		case lib.SQLITE_ROW:
			w.rows++
			continue
		case lib.SQLITE_DONE:
		default:
			return w, fmt.Errorf("step %s: %d", a.statement, rc)
		}
		break
	}
	counted := func(what int32) int { return int(lib.Xsqlite3_stmt_status(m.tls, m.statement, what, 0)) }
	w.steps, w.scans, w.sorts = counted(lib.SQLITE_STMTSTATUS_VM_STEP), counted(lib.SQLITE_STMTSTATUS_FULLSCAN_STEP), counted(lib.SQLITE_STMTSTATUS_SORT)
	return w, nil
}

// bind gives each placeholder, `$` and a number, its argument.
func (m *meter) bind(args []any) (free func(), err error) {
	var texts []uintptr
	free = func() {
		for _, p := range texts {
			libc.Xfree(m.tls, p)
		}
	}
	for i := int32(1); i <= lib.Xsqlite3_bind_parameter_count(m.tls, m.statement); i++ {
		name := libc.GoString(lib.Xsqlite3_bind_parameter_name(m.tls, m.statement, i))
		n, err := strconv.Atoi(strings.TrimLeft(name, "$"))
		if err != nil {
			return free, fmt.Errorf("placeholder %q: %w", name, err)
		}
		switch v := args[n-1].(type) {
		case int64:
			lib.Xsqlite3_bind_int64(m.tls, m.statement, i, v)
		case string:
			p, err := libc.CString(v)
			if err != nil {
				return free, err
			}
			texts = append(texts, p)
			lib.Xsqlite3_bind_text(m.tls, m.statement, i, p, int32(len(v)), 0)
		default:
			return free, fmt.Errorf("an argument is a %T", v)
		}
	}
	return free, nil
}

// plan is how SQLite means to run a statement, a line for each part.
func (s *stage) explain(a asked) []string {
	s.t.Helper()
	rows, err := s.books.pool.QueryContext(s.ctx, "EXPLAIN QUERY PLAN "+a.statement, a.args...)
	s.must(err)
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var id, parent, unused int
		var line string
		s.must(rows.Scan(&id, &parent, &unused, &line))
		lines = append(lines, line)
	}
	s.must(rows.Err())
	return lines
}
