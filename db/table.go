package db

import (
	"context"
	"fmt"
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
	given  bool
	fields func(*T) []any // pointers, in the order of columns
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
	return t.query(ctx, db, "SELECT "+t.list("x")+" FROM "+t.name+" x "+rest, args...)
}

// query returns the rows of a statement that answers with all columns.
func (t table[T]) query(ctx context.Context, db sqlc.DBTX, statement string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var row T
		if err := rows.Scan(t.fields(&row)...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// by reads the rows with one of the values in a column; many values take
// several statements.
func (t table[T]) by(ctx context.Context, db sqlc.DBTX, column string, values []string, rest string) ([]T, error) {
	return readBy(ctx, db, t, column, values, rest)
}

func readBy[T, V any](ctx context.Context, db sqlc.DBTX, t table[T], column string, values []V, rest string) ([]T, error) {
	var all []T
	for len(values) > 0 {
		n := min(len(values), 256)
		var args []any
		rows, err := t.read(ctx, db, "WHERE "+in("x."+column, values[:n], &args)+rest, args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		all, values = append(all, rows...), values[n:]
	}
	return all, nil
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
	skip := 0
	if t.given {
		skip = 1
	}
	var text strings.Builder
	text.WriteString("INSERT INTO " + t.name + " (" + strings.Join(t.columns[skip:], ", ") + ") VALUES ")
	args := make([]any, 0, len(rows)*len(t.columns))
	for i := range rows {
		text.WriteString(separator(i, "(", ", ("))
		for j, field := range t.fields(&rows[i])[skip:] {
			text.WriteString(separator(j, "", ", "))
			text.WriteString(arg(&args, field))
		}
		text.WriteString(")")
	}
	_, err := db.ExecContext(ctx, text.String(), args...)
	return err
}

func separator(i int, first, next string) string {
	if i == 0 {
		return first
	}
	return next
}
