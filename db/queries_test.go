package db

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// queries are those that sqlc made, by name.
func queries(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("internal/sqlc/*.sql.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no generated queries: ", err)
	}
	found := map[string]string{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING && strings.HasPrefix(literal.Value, "`-- name: ") {
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				found[strings.Fields(text)[2]] = text
			}
			return true
		})
	}
	return found
}

// TestQueriesOnBothEngines: they were checked by sqlc against PostgreSQL's
// schema alone.
func TestQueriesOnBothEngines(t *testing.T) {
	all := queries(t)
	eachEngine(t, func(t *testing.T, s *stage) {
		for name, text := range all {
			prepared, err := s.books.pool.PrepareContext(s.ctx, text)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			s.must(prepared.Close()) //nolint:sqlclosecheck // one after the other
		}
		if len(all) < 50 {
			t.Errorf("%d queries were found, are these all?", len(all))
		}
	})
}

// TestTablesHaveTheirColumns: those that are read whole are written down once
// more in tables.go.
func TestTablesHaveTheirColumns(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		wantColumns(t, s, alertTable)
		wantColumns(t, s, decisionTable)
		wantColumns(t, s, ticketTable)
		wantColumns(t, s, linkTable)
		wantColumns(t, s, deliveryTable)
		wantColumns(t, s, attemptTable)
		wantColumns(t, s, ticketEventTable)
		wantColumns(t, s, deliveryEventTable)
		wantColumns(t, s, configurationEventTable)
		wantColumns(t, s, notificationTable)
		wantColumns(t, s, healthTable)
	})
}

func wantColumns[T any](t *testing.T, s *stage, table table[T]) {
	t.Helper()
	rows, err := s.books.pool.QueryContext(context.Background(), "SELECT * FROM "+table.name+" LIMIT 0")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(columns, table.columns); diff != "" {
		t.Errorf("%s (-database +tables.go): %s", table.name, diff)
	}
	if n := len(table.fields(new(T))); n != len(columns) {
		t.Errorf("%s has %d columns and %d fields", table.name, len(columns), n)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}
