package main

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver that the books use, too
)

// pattern are the rows of a table that one raise has made, to be made again
// with other keys.
type pattern struct {
	Table   string
	Columns []string
	Rows    [][]any
	Rules   [][]rule // for each value, how it changes from raise to raise
}

// rule is how a value of the n-th raise is made of that of the pattern.
type rule int

const (
	same   rule = iota
	moved       // a number that grows by the rows of a raise
	placed      // a place in the ledger, which several tables share
	id          // an id that the raise has made: its first digits count
	named       // a text that is to be there once
)

// patterns are all rows that one raise makes.
type patterns struct {
	Tables []pattern
	Span   int64    // places in the ledger
	Words  []string // tables whose words are in a search of their own
	Base   int64    // the first eight digits of an id
}

// takePatterns raises an alert and finds what that has made, in all tables
// there are. The first alert of a server makes more than later ones do, so
// another one is raised before.
func (h *house) takePatterns(ctx context.Context, dir string, carried bool) (*patterns, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "tocsin.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var states [2]map[string]*pattern
	for n := range states {
		if err := h.ask(ctx, raiseMutation, map[string]any{"in": alert("pattern", n)}, nil); err != nil {
			return nil, err
		}
		if carried {
			if err := h.delivered(ctx); err != nil {
				return nil, err
			}
		}
		if states[n], err = readAll(ctx, db); err != nil {
			return nil, err
		}
	}
	p := &patterns{}
	for table, after := range states[1] {
		before := states[0][table]
		if len(after.Rows) == len(before.Rows) {
			continue // changed, at most: the counters, and what the limit does for them is its own
		}
		known := map[string]bool{}
		for _, r := range before.Rows {
			known[fmt.Sprint(r)] = true
		}
		after.Rows = slices.DeleteFunc(after.Rows, func(r []any) bool { return known[fmt.Sprint(r)] })
		p.Tables = append(p.Tables, *after)
	}
	slices.SortFunc(p.Tables, func(a, b pattern) int { return strings.Compare(a.Table, b.Table) })
	return p, p.learn(ctx, db)
}

// readAll reads every row of every table but those inside a search.
func readAll(ctx context.Context, db *sql.DB) (map[string]*pattern, error) {
	names, err := texts(ctx, db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%\\_words%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
	if err != nil {
		return nil, err
	}
	all := map[string]*pattern{}
	for _, table := range names {
		if all[table], err = readRows(ctx, db, table); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func texts(ctx context.Context, db *sql.DB, query string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

func readRows(ctx context.Context, db *sql.DB, table string) (*pattern, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table) //nolint:gosec // the names are the database's own
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	p := &pattern{Table: table}
	if p.Columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	for rows.Next() {
		values, places := make([]any, len(p.Columns)), make([]any, len(p.Columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		p.Rows = append(p.Rows, values)
	}
	return p, rows.Err()
}

// learn finds which values must change from raise to raise.
func (p *patterns) learn(ctx context.Context, db *sql.DB) error {
	made := map[string]bool{}
	var first, last int64
	for _, t := range p.Tables {
		for _, r := range t.Rows {
			for i, column := range t.Columns {
				if text, ok := r[i].(string); ok && column == "id" {
					made[text] = true
				}
				if seq, ok := r[i].(int64); ok && column == "seq" {
					first, last = min(cmp.Or(first, seq), seq), max(last, seq)
				}
			}
		}
	}
	p.Span = last - first + 1
	for i := range p.Tables {
		p.Tables[i].learn(made)
	}
	for text := range made {
		raw, err := hex.DecodeString(text[4:12])
		if err != nil {
			return fmt.Errorf("the id %s is none of version 7: %w", text, err)
		}
		p.Base = max(p.Base, int64(binary.BigEndian.Uint32(raw)))
	}
	searches, err := texts(ctx, db, "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'")
	for _, name := range searches {
		p.Words = append(p.Words, strings.TrimSuffix(name, "_words"))
	}
	return err
}

func (t *pattern) learn(made map[string]bool) {
	for _, r := range t.Rows {
		rules := make([]rule, len(r))
		for i, column := range t.Columns {
			text, isText := r[i].(string)
			switch {
			case column == "seq":
				rules[i] = placed
			case i == 0 && !isText:
				rules[i] = moved
			case len(text) >= idLength && made[text[:idLength]]:
				rules[i] = id
			case isText && (column == "dedup_key" || column == "entity_key"):
				rules[i] = named
			}
		}
		t.Rules = append(t.Rules, rules)
	}
}

// idLength is that of a prefix of three letters, a line, and a UUID.
const idLength = 40

// renew adds the values of a row of the n-th raise after the pattern.
func (t *pattern) renew(to []any, row int, n int64, p *patterns) []any {
	for i, v := range t.Rows[row] {
		number, _ := v.(int64)
		text, _ := v.(string)
		switch t.Rules[row][i] {
		case moved:
			to = append(to, number+n*int64(len(t.Rows)))
		case placed:
			to = append(to, number+n*p.Span)
		case id:
			to = append(to, text[:4]+strconv.FormatInt(1<<32+p.Base+n, 16)[1:]+text[12:])
		case named:
			to = append(to, text+"-"+strconv.FormatInt(n, 10))
		default:
			to = append(to, v)
		}
	}
	return to
}

func (p *patterns) save(file string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

func loadPatterns(file string) (*patterns, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	p := &patterns{}
	if err := d.Decode(p); err != nil {
		return nil, err
	}
	for _, t := range p.Tables {
		for _, r := range t.Rows {
			for i, v := range r {
				if number, ok := v.(json.Number); ok {
					if r[i], err = number.Int64(); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return p, nil
}
