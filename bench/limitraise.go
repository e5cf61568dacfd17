package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// limitRaise is a bare program that commits, for each request, the rows that
// raises make, with the same settings of the database and in groups. It knows
// no token, no action, no condition, no ticket to join, and delivers nothing.
type limitRaise struct {
	Listen   string
	Database string
	Patterns string // in JSON
}

// openLimitRaise lets the server make a database with an alert in it, whose
// rows the limit repeats, and starts the limit on it.
func openLimitRaise(ctx context.Context, dir string) (*process, error) {
	h, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	actor, err := h.configure(ctx, nowhere, 2)
	if err != nil {
		return nil, err
	}
	// Disabled, so that the rows stay as the raise has made them.
	if err := h.enable(ctx, actor, false); err != nil {
		return nil, err
	}
	p, err := h.takePatterns(ctx, dir, false)
	if err != nil {
		return nil, err
	}
	if err := h.stop(); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "patterns.json")
	if err := p.save(file); err != nil {
		return nil, err
	}
	return start(ctx, "/healthz", func(addr string) []string {
		return []string{"limit-raise", "--listen", addr, "--database", filepath.Join(dir, "tocsin.db"), "--patterns", file}
	})
}

// booksSettings are those of the connection on which the books are written.
const booksSettings = "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
	"&_pragma=cache_size(-16384)&_pragma=temp_store(MEMORY)&_pragma=wal_autocheckpoint(4000)"

// Run serves until the process is ended.
func (l *limitRaise) Run(ctx context.Context) error {
	db, err := sql.Open("sqlite", "file:"+l.Database+booksSettings)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	p, err := loadPatterns(l.Patterns)
	if err != nil {
		return err
	}
	w := &bareWriter{conn: conn, patterns: p, prepared: map[string]*sql.Stmt{}, jobs: make(chan bareJob, 1024)}
	go w.run(ctx) // ends with the process
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /graphql", w.serve)
	return (&http.Server{Addr: l.Listen, Handler: mux, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}

// serve reads one alert or many, has their rows committed, and answers.
func (w *bareWriter) serve(rw http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	var in struct {
		Query     string
		Variables struct{ In map[string]any }
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&in); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	j := bareJob{raises: 1, done: make(chan error, 1)}
	if many, ok := in.Variables.In["alerts"].([]any); ok {
		j.raises = len(many)
	}
	w.jobs <- j
	if err := <-j.done; err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(rw, `{"data":{"raiseAlert":{"alertId":"alr_%032d","accepted":%d,"userErrors":[]}}}`, 1, j.raises)
}

// bareJob is a request whose rows are to be committed.
type bareJob struct {
	raises int
	done   chan error
}

// bareWriter commits what waits in groups, several rows with each statement.
type bareWriter struct {
	conn     *sql.Conn
	patterns *patterns
	prepared map[string]*sql.Stmt
	jobs     chan bareJob
	n        int64 // raises so far
}

// The sizes of a group and of a statement, as the books have them.
const (
	bareGroup = 256
	bareRows  = 32
)

func (w *bareWriter) run(ctx context.Context) {
	for {
		group := []bareJob{<-w.jobs}
		raises := group[0].raises
		for more := true; more && raises < bareGroup; {
			select {
			case j := <-w.jobs:
				group, raises = append(group, j), raises+j.raises
			default:
				more = false
			}
		}
		err := w.commit(ctx, raises)
		for _, j := range group {
			j.done <- err
		}
	}
}

func (w *bareWriter) commit(ctx context.Context, raises int) error {
	if err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := w.write(ctx, raises); err != nil {
		_ = w.exec(ctx, "ROLLBACK") // the first error is the one to tell
		return err
	}
	return w.exec(ctx, "COMMIT")
}

// exec runs a statement that is kept prepared.
func (w *bareWriter) exec(ctx context.Context, query string, args ...any) error {
	s, ok := w.prepared[query]
	if !ok {
		var err error
		if s, err = w.conn.PrepareContext(ctx, query); err != nil {
			return err
		}
		w.prepared[query] = s
	}
	_, err := s.ExecContext(ctx, args...)
	return err
}

func (w *bareWriter) write(ctx context.Context, raises int) error {
	first := w.n + 1
	w.n += int64(raises)
	deliveries := 0
	for i := range w.patterns.Tables {
		t := &w.patterns.Tables[i]
		if err := w.insert(ctx, t, first); err != nil {
			return fmt.Errorf("%s: %w", t.Table, err)
		}
		if t.Table == "deliveries" {
			deliveries = raises * len(t.Rows)
		}
	}
	for _, table := range w.patterns.Words {
		key, from, to := w.keys(table, first)
		if err := w.exec(ctx, fmt.Sprintf("INSERT INTO %[1]s_words (rowid, words) SELECT %[2]s, words FROM %[1]s WHERE %[2]s BETWEEN ? AND ?", table, key), from, to); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	if err := w.exec(ctx, "UPDATE accounting SET promised = promised + ?, pending = pending + ?", deliveries, deliveries); err != nil {
		return err
	}
	for name, add := range map[string]int64{"tickets": int64(raises), "ledger": int64(raises) * w.patterns.Span} {
		if err := w.exec(ctx, "UPDATE counters SET value = value + ? WHERE name = ?", add, name); err != nil {
			return err
		}
	}
	return nil
}

// insert writes the rows of a table for the raises from first to the last.
func (w *bareWriter) insert(ctx context.Context, t *pattern, first int64) error {
	var args []any
	rows := 0
	flush := func() error {
		if rows == 0 {
			return nil
		}
		one := "(?" + strings.Repeat(", ?", len(t.Columns)-1) + ")"
		query := fmt.Sprintf("INSERT INTO %s (%s) VALUES %s%s", t.Table, strings.Join(t.Columns, ", "), one, strings.Repeat(", "+one, rows-1))
		err := w.exec(ctx, query, args...)
		args, rows = args[:0], 0
		return err
	}
	for n := first; n <= w.n; n++ {
		for row := range t.Rows {
			args = t.renew(args, row, n, w.patterns)
			if rows++; rows == bareRows {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// keys are the numbers that the rows of this group have in a table.
func (w *bareWriter) keys(table string, first int64) (column string, from, to int64) {
	for _, t := range w.patterns.Tables {
		if t.Table == table {
			at := t.Rows[0][0].(int64) //nolint:forcetypeassert,errcheck // learn has seen its type
			return t.Columns[0], at + first, at + w.n
		}
	}
	return "rowid", 0, 0
}
