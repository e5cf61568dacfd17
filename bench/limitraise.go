package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver that the books use, too
)

// limitRaise is a bare program that commits, for each request, the rows that a
// raise makes, with the same settings of the database and in groups. It knows
// no token, no action, no condition, no ticket to join, and delivers nothing.
type limitRaise struct {
	Listen   string
	Database string
}

// openLimitRaise lets the server make a database with one alert in it, whose
// rows the limit repeats, and starts the limit on it.
func openLimitRaise(ctx context.Context, dir string) (*process, error) {
	h, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	actor, err := h.configure(ctx, "http://127.0.0.1:9/", 2)
	if err != nil {
		return nil, err
	}
	// Disabled, so that the rows stay as the raise has made them.
	if err := h.enable(ctx, actor, false); err != nil {
		return nil, err
	}
	if err := h.ask(ctx, raiseMutation, map[string]any{"in": alert("first", 0)}, nil); err != nil {
		return nil, err
	}
	if err := h.stop(); err != nil {
		return nil, err
	}
	return start(ctx, "/healthz", func(addr string) []string {
		return []string{"limit-raise", "--listen", addr, "--database", filepath.Join(dir, "tocsin.db")}
	})
}

// pattern is a row that is written again and again with other keys.
type pattern struct {
	table   string
	columns []string
	values  []any
	insert  *sql.Stmt
}

// fresh are the columns whose text must differ from row to row.
var fresh = map[string]bool{"id": true, "alert_id": true, "dedup_key": true, "order_key": true}

// Run serves until the process is ended.
func (l *limitRaise) Run(ctx context.Context) error {
	db, err := sql.Open("sqlite", "file:"+l.Database+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	patterns, err := readPatterns(ctx, db)
	if err != nil {
		return err
	}
	w := &bareWriter{db: db, patterns: patterns, jobs: make(chan chan error, 1024), n: 1000}
	go w.run(ctx)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /graphql", func(rw http.ResponseWriter, r *http.Request) {
		var in struct {
			Query     string
			Variables struct{ In map[string]any }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		done := make(chan error, 1)
		w.jobs <- done
		if err := <-done; err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(rw, `{"data":{"raiseAlert":{"alertId":"alr_%032d","userErrors":[]}}}`, 1)
	})
	return (&http.Server{Addr: l.Listen, Handler: mux, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}

// readPatterns takes the rows of the one alert from all tables that a raise writes.
func readPatterns(ctx context.Context, db *sql.DB) ([]pattern, error) {
	var all []pattern
	for _, table := range []string{"tickets", "alerts", "decisions", "deliveries", "ticket_events", "delivery_events"} {
		rows, err := patternsOf(ctx, db, table)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	for i, p := range all {
		var err error
		all[i].insert, err = db.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s)", p.table, strings.Join(p.columns, ", "), strings.Repeat(", ?", len(p.columns)-1)))
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func patternsOf(ctx context.Context, db *sql.DB, table string) ([]pattern, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table) //nolint:gosec // the names are above
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all []pattern
	for rows.Next() {
		p := pattern{table: table, columns: columns, values: make([]any, len(columns))}
		places := make([]any, len(columns))
		for i := range p.values {
			places[i] = &p.values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// bareWriter commits what waits in groups of at most 128.
type bareWriter struct {
	db       *sql.DB
	patterns []pattern
	jobs     chan chan error
	n        int64 // numbers and names new rows
}

func (w *bareWriter) run(ctx context.Context) {
	for {
		group := []chan error{<-w.jobs}
		for more := true; more && len(group) < 128; {
			select {
			case j := <-w.jobs:
				group = append(group, j)
			default:
				more = false
			}
		}
		err := w.commit(ctx, len(group))
		for _, j := range group {
			j <- err
		}
	}
}

func (w *bareWriter) commit(ctx context.Context, raises int) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo
	for range raises {
		for _, p := range w.patterns {
			w.n++
			if _, err := tx.StmtContext(ctx, p.insert).ExecContext(ctx, w.renewed(p)...); err != nil { //nolint:sqlclosecheck // the transaction closes it
				return fmt.Errorf("%s: %w", p.table, err)
			}
		}
		for _, words := range []string{"alerts_words", "tickets_words"} {
			if _, err := tx.ExecContext(ctx, "INSERT INTO "+words+" (rowid, words) VALUES (?, ?)", w.n, " sign in from two continents by user o365 impossible travel bench example com"); err != nil { //nolint:gosec // the names are above
				return err
			}
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE accounting SET promised = promised + ?1, pending = pending + ?1", 2*raises); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE counters SET value = ?1", w.n); err != nil {
		return err
	}
	return tx.Commit()
}

// renewed is a pattern's row with keys of its own.
func (w *bareWriter) renewed(p pattern) []any {
	values := make([]any, len(p.values))
	for i, column := range p.columns {
		switch text, isText := p.values[i].(string); {
		case i == 0 && !isText:
			values[i] = w.n
		case isText && fresh[column]:
			values[i] = fmt.Sprintf("%s%016x", text[:max(len(text)-16, 0)], w.n)
		default:
			values[i] = p.values[i]
		}
	}
	return values
}
