package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"
)

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
		"alerts":     "ticket_id, id, behavior_model AS behaviorModel, behavior, severity, summary, entity_key AS key, received_at AS receivedAt FROM alerts",
		"deliveries": "ticket_id, id, status, api_config_name AS apiConfigName, actor_name AS actorName, created_at AS createdAt FROM deliveries",
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
