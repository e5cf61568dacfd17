package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// listBench reads tickets: a page with what belongs to each, and one by id.
type listBench struct {
	rounds
	Concurrency int `help:"Clients at once." default:"16"`
	Rows        int `help:"Alerts, tickets and pairs of deliveries in the books." default:"10000"`
}

const pageQuery = `{ tickets(first: 50) { nodes { id number title status severity key openedAt
	alerts(first: 1) { nodes { id behaviorModel behavior severity summary key receivedAt } }
	deliveries(first: 2) { nodes { id status apiConfigName actorName createdAt } } } } }`

const ticketQuery = `query($id: ID!) { ticket(id: $id) { id number title status severity key openedAt } }`

// Run compares both reads with the same SQL by hand, behind the same HTTP.
func (b *listBench) Run(ctx context.Context) error {
	return inFolder(func(dir string) error {
		h, err := b.filled(ctx, dir)
		if err != nil {
			return err
		}
		limit, err := start(ctx, "/healthz", func(addr string) []string {
			return []string{"limit-list", "--listen", addr, "--database", filepath.Join(dir, "tocsin.db")}
		})
		if err != nil {
			return err
		}
		ids, err := h.ticketIDs(ctx)
		if err != nil {
			return err
		}
		page := body(pageQuery, nil)
		err = b.compare(ctx, h, limit, "50 tickets with alert and deliveries", func(int) []byte { return page }, "/page")
		if err == nil {
			err = b.compare(ctx, h, limit, "ticket by id", func(n int) []byte { return body(ticketQuery, map[string]any{"id": ids[n%len(ids)]}) }, "/ticket")
		}
		if err != nil {
			return err
		}
		if err := limit.stop(); err != nil {
			return err
		}
		return h.stop()
	})
}

func (b *listBench) compare(ctx context.Context, h *house, limit *process, name string, request func(n int) []byte, path string) error {
	read := func(p *process, url string) func() (figures, error) {
		return func() (figures, error) {
			return load(ctx, b.Concurrency, b.Duration, p, func(ctx context.Context, n int) error {
				_, err := post(ctx, url, h.token, request(n), `"openedAt"`)
				return err
			})
		}
	}
	return b.turns(fmt.Sprintf("%s, concurrency %d", name, b.Concurrency), read(h.process, h.url()), read(limit, "http://"+limit.addr+path))
}

// filled is a server with rows. Its actor is disabled, so that nothing moves.
func (b *listBench) filled(ctx context.Context, dir string) (*house, error) {
	h, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	actor, err := h.configure(ctx, "http://127.0.0.1:9/", 2)
	if err != nil {
		return nil, err
	}
	if err := h.enable(ctx, actor, false); err != nil {
		return nil, err
	}
	return h, h.fill(ctx, "fill", b.Rows)
}

// fill raises the alerts of a series in batches.
func (h *house) fill(ctx context.Context, series string, rows int) error {
	for n := 0; n < rows; {
		batch := make([]map[string]any, 0, 500)
		for ; n < rows && len(batch) < 500; n++ {
			batch = append(batch, alert(series, n))
		}
		err := h.ask(ctx, `mutation($in: RaiseAlertsInput!) { raiseAlerts(input: $in) { accepted rejected userErrors { message } } }`,
			map[string]any{"in": map[string]any{"alerts": batch}}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *house) ticketIDs(ctx context.Context) ([]string, error) {
	var data struct {
		Tickets struct{ Nodes []struct{ ID string } }
	}
	err := h.ask(ctx, `{ tickets(first: 100) { nodes { id } } }`, nil, &data)
	ids := make([]string, len(data.Tickets.Nodes))
	for i, n := range data.Tickets.Nodes {
		ids[i] = n.ID
	}
	return ids, err
}

// limitList answers both reads with the SQL that they need and nothing else.
type limitList struct {
	Listen   string
	Database string
}

type record = map[string]any

// Run serves until the process is ended.
func (l *limitList) Run() error {
	db, err := sql.Open("sqlite", "file:"+l.Database+"?mode=ro&_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(runtime.NumCPU())
	db.SetMaxIdleConns(runtime.NumCPU())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /page", func(w http.ResponseWriter, r *http.Request) {
		tickets, err := readPage(r.Context(), db)
		reply(w, tickets, err)
	})
	mux.HandleFunc("POST /ticket", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Variables struct{ ID string } }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			reply(w, nil, err)
			return
		}
		ticket, err := records(r.Context(), db, "SELECT id, number, title, status, severity, entity_key AS key, opened_at AS openedAt FROM tickets WHERE id = ?", in.Variables.ID)
		reply(w, ticket, err)
	})
	return (&http.Server{Addr: l.Listen, Handler: mux, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}

func reply(w http.ResponseWriter, data any, err error) {
	if err == nil {
		err = json.NewEncoder(w).Encode(data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func readPage(ctx context.Context, db *sql.DB) ([]record, error) {
	tickets, err := records(ctx, db, "SELECT id, number, title, status, severity, entity_key AS key, opened_at AS openedAt FROM tickets ORDER BY number DESC LIMIT 50")
	if err != nil {
		return nil, err
	}
	ids := make([]any, len(tickets))
	byID := map[any]record{}
	for i, t := range tickets {
		ids[i], byID[t["id"]] = t["id"], t
	}
	in := " WHERE ticket_id IN (?" + strings.Repeat(", ?", len(ids)-1) + ")"
	for field, columns := range map[string]string{
		"alerts":     "ticket_id, id, behavior_model, behavior, severity, summary, entity_key, received_at FROM alerts",
		"deliveries": "ticket_id, id, status, api_config_name, actor_name, created_at FROM deliveries",
	} {
		rows, err := records(ctx, db, "SELECT "+columns+in, ids...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			t := byID[r["ticket_id"]]
			list, _ := t[field].([]record)
			t[field] = append(list, r)
		}
	}
	return slices.Clip(tickets), nil
}

func records(ctx context.Context, db *sql.DB, query string, args ...any) ([]record, error) {
	rows, err := db.QueryContext(ctx, query, args...) //nolint:gosec // the statements are above
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all []record
	for rows.Next() {
		values, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		r := make(record, len(columns))
		for i, c := range columns {
			r[c] = values[i]
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
