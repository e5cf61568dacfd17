package db

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tocsin/db/internal/sqlc"
)

// table reads and writes whole rows of one table, for the statements whose
// length depends on their input and which sqlc therefore cannot write.
type table[T any] struct {
	name    string
	columns []string
	// given says that the database fills the first column.
	given   bool
	fields  func(*T) []any // pointers, in the order of columns
	inserts map[int]string // by how many rows they carry
}

// written is a table with its statements.
func written[T any](t table[T]) table[T] {
	t.inserts = map[int]string{}
	for n := 1; n <= maxRows; n *= 2 {
		t.inserts[n] = t.insertion(n)
	}
	return t
}

// maxRows is how many rows one INSERT carries.
const maxRows = 32

// arg adds an argument and returns its placeholder.
func arg(args *[]any, value any) string {
	*args = append(*args, value)
	return "$" + strconv.Itoa(len(*args))
}

// list is the columns with an alias before each.
func (t table[T]) list(alias string) string {
	return alias + "." + strings.Join(t.columns, ", "+alias+".")
}

// read returns the rows of `SELECT all columns FROM the table x` and the rest.
func (t table[T]) read(ctx context.Context, db sqlc.DBTX, rest string, args ...any) ([]T, error) {
	return t.query(ctx, db, t.selection()+rest, args...)
}

// selection begins a statement that answers with all columns.
func (t table[T]) selection() string { return "SELECT " + t.list("x") + " FROM " + t.name + " x " }

// query returns the rows of a statement that answers with all columns.
func (t table[T]) query(ctx context.Context, db sqlc.DBTX, statement string, args ...any) (all []T, err error) {
	err = t.scan(ctx, db, statement, args, func(row T) error {
		all = append(all, row)
		return nil
	})
	return all, err
}

// scan hands on each row of a statement that answers with the columns that lead
// points to, and then with all of the table's.
func (t table[T]) scan(ctx context.Context, db sqlc.DBTX, statement string, args []any, take func(T) error, lead ...any) error {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var row T
	places := slices.Concat(lead, t.fields(&row))
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		if err := take(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// some is the table with some of its columns only; of the others, reads tell nothing.
func (t table[T]) some(columns ...string) table[T] {
	places := make([]int, len(columns))
	for i, c := range columns {
		places[i] = slices.Index(t.columns, c)
	}
	return table[T]{name: t.name, columns: columns, fields: func(row *T) []any {
		all := t.fields(row)
		fields := make([]any, len(places))
		for i, place := range places {
			fields[i] = all[place]
		}
		return fields
	}}
}

// without is the table without some of its columns.
func (t table[T]) without(columns ...string) table[T] {
	return t.some(slices.DeleteFunc(slices.Clone(t.columns), func(c string) bool { return slices.Contains(columns, c) })...)
}

// by reads the rows with one of the values in a column; many values take
// several statements.
func (t table[T]) by(ctx context.Context, db sqlc.DBTX, column string, values []string, rest string) ([]T, error) {
	return readBy(ctx, db, t, column, values, rest)
}

func readBy[T, V any](ctx context.Context, db sqlc.DBTX, t table[T], column string, values []V, rest string) (all []T, err error) {
	err = scanBy(ctx, db, t, column, values, rest, func(row T) error {
		all = append(all, row)
		return nil
	})
	return all, err
}

// scanBy hands on the rows that readBy returns.
func scanBy[T, V any](ctx context.Context, db sqlc.DBTX, t table[T], column string, values []V, rest string, take func(T) error) error {
	for some := range slices.Chunk(values, 256) {
		var args []any
		statement := t.selection() + "WHERE " + in("x."+column, some, &args) + rest
		if err := t.scan(ctx, db, statement, args, take); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// insert writes rows, several with each statement.
func (t table[T]) insert(ctx context.Context, db sqlc.DBTX, rows []T) error {
	for len(rows) > 0 {
		n := maxRows
		for n > len(rows) {
			n /= 2
		}
		if err := t.insertSome(ctx, db, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (t table[T]) insertSome(ctx context.Context, db sqlc.DBTX, rows []T) error {
	args := make([]any, 0, len(rows)*len(t.columns))
	for i := range rows {
		args = append(args, t.fields(&rows[i])[t.skipped():]...)
	}
	_, err := db.ExecContext(ctx, t.inserts[len(rows)], args...)
	return err
}

// skipped is how many columns an INSERT leaves to the database.
func (t table[T]) skipped() int {
	if t.given {
		return 1
	}
	return 0
}

// insertion writes an INSERT of n rows.
func (t table[T]) insertion(n int) string {
	columns := t.columns[t.skipped():]
	rows := make([]string, n)
	for i := range rows {
		places := make([]string, len(columns))
		for j := range places {
			places[j] = "$" + strconv.Itoa(i*len(columns)+j+1)
		}
		rows[i] = "(" + strings.Join(places, ", ") + ")"
	}
	return "INSERT INTO " + t.name + " (" + strings.Join(columns, ", ") + ") VALUES " + strings.Join(rows, ", ")
}
