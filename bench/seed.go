package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// seeded is a directory of our server with many alerts in its books, each with
// its ticket, decisions, and deliveries that have been carried: the rows of one
// real raise, copied inside the database with other keys.
type seeded struct {
	dir   string
	token string
	span  int64 // places in the ledger of one raise
}

// tokenFile keeps the token of kept books, which are nobody's but a bench's.
const tokenFile = "token"

// seed makes the books in a directory, or copies them there from an earlier run
// whose tables were the same; keep is where those lie.
func seed(ctx context.Context, dir, keep string, rows int) (seeded, error) {
	p, token, err := firstBooks(ctx, dir)
	if err != nil {
		return seeded{}, err
	}
	s := seeded{dir, token, p.Span}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "tocsin.db")+"?_pragma=busy_timeout(10000)&_pragma=synchronous(OFF)&_pragma=cache_size(-400000)&_pragma=temp_store(MEMORY)&_pragma=journal_mode(OFF)")
	if err != nil {
		return s, err
	}
	db.SetMaxOpenConns(1)
	name, err := shapeOf(ctx, db, p, rows)
	if err != nil {
		return s, errors.Join(err, db.Close())
	}
	kept := filepath.Join(keep, name)
	if text, err := os.ReadFile(filepath.Join(kept, tokenFile)); err == nil {
		s.token = string(text)
		return s, errors.Join(db.Close(), copyBooks(kept, dir))
	}
	if err := errors.Join(p.multiply(ctx, db, int64(rows)), db.Close()); err != nil {
		return s, err
	}
	return s, keepBooks(dir, kept, token)
}

// firstBooks makes books in which one raise has been carried to its end. Their
// actor is disabled then, so that nothing moves by itself.
func firstBooks(ctx context.Context, dir string) (*patterns, string, error) {
	sink, err := newReceiver(ctx)
	if err != nil {
		return nil, "", err
	}
	defer sink.close()
	h, err := open(ctx, dir)
	if err != nil {
		return nil, "", err
	}
	actor, err := h.configure(ctx, sink.url, 2)
	if err != nil {
		return nil, "", err
	}
	p, err := h.takePatterns(ctx, dir, true)
	if err != nil {
		return nil, "", err
	}
	if err := h.enable(ctx, actor, false); err != nil {
		return nil, "", err
	}
	return p, h.token, h.stop()
}

// shapeOf names books by their number of rows and by all that decides how they
// look: the tables with their indexes, and what a raise writes.
func shapeOf(ctx context.Context, db *sql.DB, p *patterns, rows int) (string, error) {
	shape, err := texts(ctx, db, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
	if err != nil {
		return "", err
	}
	for _, t := range p.Tables {
		shape = append(shape, fmt.Sprint(t.Table, len(t.Rows), t.Columns))
	}
	sum := sha256.Sum256([]byte(strings.Join(shape, "\n")))
	return strconv.Itoa(rows) + "-" + hex.EncodeToString(sum[:8]), nil
}

// multiply copies the rows of the pattern. Indexes are made anew afterwards:
// sorting what is there is several times as fast as growing them row by row.
func (p *patterns) multiply(ctx context.Context, db *sql.DB, times int64) error {
	var indexes []string
	for _, t := range p.Tables {
		of, err := texts(ctx, db, "SELECT name || char(10) || sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = '"+t.Table+"'")
		if err != nil {
			return err
		}
		indexes = append(indexes, of...)
	}
	var statements []string
	for _, one := range indexes {
		name, _, _ := strings.Cut(one, "\n")
		statements = append(statements, "DROP INDEX "+name)
	}
	for i := range p.Tables {
		if err := p.Tables[i].stage(ctx, db); err != nil {
			return err
		}
		statements = append(statements, p.copying(&p.Tables[i], times))
	}
	for _, one := range indexes {
		_, create, _ := strings.Cut(one, "\n")
		statements = append(statements, create)
	}
	statements = append(statements, p.totals(times)...)
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.80s…: %w", statement, err)
		}
	}
	return nil
}

// stage puts the rows of the pattern into a table of their own, from which they
// are copied.
func (t *pattern) stage(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, fmt.Sprintf("CREATE TEMP TABLE pattern_%[1]s AS SELECT * FROM %[1]s LIMIT 0", t.Table)); err != nil {
		return err
	}
	for _, r := range t.Rows {
		query := fmt.Sprintf("INSERT INTO pattern_%s VALUES (?%s)", t.Table, strings.Repeat(", ?", len(r)-1)) //nolint:gosec // a table of ours
		if _, err := db.ExecContext(ctx, query, r...); err != nil {
			return err
		}
	}
	return nil
}

// copying is the statement that makes a table's rows of all raises. Their times
// end with that of the pattern, and their ids are lower than those to come.
func (p *patterns) copying(t *pattern, times int64) string {
	values := make([]string, len(t.Columns))
	for i, column := range t.Columns {
		has := func(want rule) bool {
			return slices.ContainsFunc(t.Rules, func(r []rule) bool { return r[i] == want })
		}
		switch {
		case has(moved):
			values[i] = fmt.Sprintf("p.%s + i * %d", column, len(t.Rows))
		case has(placed):
			values[i] = fmt.Sprintf("p.%s + i * %d", column, p.Span)
		case has(id): // null stays null
			values[i] = fmt.Sprintf("substr(p.%[1]s, 1, 4) || printf('%%08x', %[2]d + i) || substr(p.%[1]s, 13)", column, p.Base-times-1)
		case has(named):
			values[i] = fmt.Sprintf("p.%s || printf('-%%08d', i)", column)
		case strings.HasSuffix(column, "_at"):
			values[i] = fmt.Sprintf("p.%s - (%d - i) * 10", column, times)
		default:
			values[i] = "p." + column
		}
	}
	return fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO %s (%s) SELECT %s FROM n CROSS JOIN pattern_%s AS p",
		times, t.Table, strings.Join(t.Columns, ", "), strings.Join(values, ", "), t.Table)
}

// totals puts right what counts the rows, and the searches.
func (p *patterns) totals(times int64) []string {
	var all []string
	for _, t := range p.Tables {
		if slices.Contains(p.Words, t.Table) {
			all = append(all, fmt.Sprintf("INSERT INTO %[1]s_words (rowid, words) SELECT %[2]s, words FROM %[1]s WHERE %[2]s > %[3]v", t.Table, t.Columns[0], t.Rows[len(t.Rows)-1][0]))
		}
		if t.Table == "deliveries" {
			all = append(all, fmt.Sprintf("UPDATE accounting SET promised = promised + %[1]d, delivered = delivered + %[1]d", times*int64(len(t.Rows))))
		}
	}
	return append(all,
		fmt.Sprintf("UPDATE counters SET value = value + %d WHERE name = 'tickets'", times),
		fmt.Sprintf("UPDATE counters SET value = value + %d WHERE name = 'ledger'", times*p.Span))
}

// keepBooks copies books for the next run; the token comes last, so that what was
// cut off is not taken for whole.
func keepBooks(dir, kept, token string) error {
	if err := os.MkdirAll(kept, 0o700); err != nil {
		return err
	}
	if err := copyBooks(dir, kept); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(kept, tokenFile), []byte(token), 0o600)
}

// copyBooks copies the database and its key; nobody uses it.
func copyBooks(from, to string) error {
	for _, name := range []string{"tocsin.db", "key"} {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
