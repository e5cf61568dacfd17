package server

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"tocsin/dispatch/crash"
)

// TestCrashInMigration has the program die while it brings old books that are
// full up to date, and while it makes new ones.
func TestCrashInMigration(t *testing.T) {
	notRaced(t)
	crashInMigration(t, 6)
}

// TestCrashInMigrationLong does so at a hundred moments of each.
func TestCrashInMigrationLong(t *testing.T) {
	if os.Getenv("TOCSIN_LONG") == "" {
		t.Skip("takes a minute; set TOCSIN_LONG=1 to run it")
	}
	crashInMigration(t, 100)
}

// crashInMigration spreads the deaths over 0.5 to 200 ms after it began, dense in
// the beginning, so that a fast machine and a slow one are both met within.
func crashInMigration(t *testing.T, deaths int) {
	moment := func(i int) string {
		return fmt.Sprintf("%s:1:%dµs", crash.Migration, int(500*math.Pow(400, float64(i)/float64(deaths-1))))
	}
	t.Run("old", func(t *testing.T) {
		s := newScene(t)
		for range 20 {
			s.load.call(t.Context(), s.load.next(batch))
		}
		s.program.end()
		reached := map[string]int{}
		for i := range deaths {
			s.age()
			s.dieAt(moment(i), 1)
			reached[s.version()]++
		}
		s.age() // the usual program brings them up to date after the last death
		t.Log(s.settle())
		t.Log("deaths by the version that was reached:", reached)
	})
	t.Run("new", func(t *testing.T) {
		reached := map[string]int{}
		for i := range deaths {
			p := &program{dir: t.TempDir(), build: crashing, env: []string{crash.Variable + "=" + moment(i)}}
			p.launch(t)
			if err := p.cmd.Wait(); !killed(err) {
				t.Fatalf("the program ended with %v", err)
			}
			s := &scene{t: t, program: p}
			reached[s.version()]++
			p.build, p.env = nil, nil
			p.launch(t)
			p.ready()
			token, err := p.run(t, "token", "create", "--data", p.dir, "--name", "sensor", "--scopes", "RAISE,READ")
			if err != nil {
				t.Fatal(err)
			}
			p.token = strings.TrimSpace(token)
			p.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"})
			p.end()
			s.integrity()
		}
		t.Log("deaths by the version that was reached:", reached)
	})
}

// age turns the books into those of the first version with the same rows, as a
// program of long ago would have left them.
func (s *scene) age() {
	s.t.Helper()
	ctx, path := s.t.Context(), filepath.Join(s.program.dir, "tocsin.db")
	s.checkpoint(path) // rows in the log of a program that died belong to the file
	old := path + ".old"
	db, err := sql.Open("sqlite", old)
	if err != nil {
		s.t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // ATTACH is of a connection
	migrations, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("../db/migrations/sqlite"), goose.WithDisableGlobalRegistry(true))
	if err == nil {
		_, err = migrations.UpTo(ctx, 1)
	}
	if err == nil {
		err = copyRows(ctx, db, path)
	}
	if err == nil {
		err = db.Close()
	}
	if err == nil {
		err = os.Rename(old, path)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// version is that of the schema of books that nobody has open.
func (s *scene) version() string {
	s.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.program.dir, "tocsin.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	found, err := texts(s.t.Context(), db, "SELECT MAX(version_id) FROM goose_db_version")
	if err != nil {
		return "none"
	}
	return found[0]
}

func (s *scene) checkpoint(path string) {
	s.t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := db.ExecContext(s.t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		s.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// copyRows copies what both files have columns for, and the words that are searched.
func copyRows(ctx context.Context, db *sql.DB, from string) error {
	if _, err := db.ExecContext(ctx, "ATTACH ? AS new", from); err != nil {
		return err
	}
	tables, err := texts(ctx, db, "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE '%\\_words%' ESCAPE '\\' AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%'")
	if err != nil {
		return err
	}
	for _, table := range tables {
		columns, err := texts(ctx, db, "SELECT name FROM pragma_table_info(?, 'main') INTERSECT SELECT name FROM pragma_table_info(?, 'new')", table, table)
		if err != nil {
			return err
		}
		list := strings.Join(columns, ", ")
		if _, err := db.ExecContext(ctx, fmt.Sprintf("DELETE FROM main.%s; INSERT INTO main.%s (%s) SELECT %s FROM new.%s", table, table, list, list, table)); err != nil {
			return fmt.Errorf("copy %s: %w", table, err)
		}
	}
	if !slices.Contains(tables, "alerts") {
		return fmt.Errorf("no alerts among %v", tables)
	}
	_, err = db.ExecContext(ctx, "INSERT INTO alerts_words (rowid, words) SELECT position, words FROM main.alerts; INSERT INTO tickets_words (rowid, words) SELECT number, words FROM main.tickets")
	return err
}

func texts(ctx context.Context, db *sql.DB, query string, args ...any) (all []string, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}
