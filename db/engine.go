package db

import (
	"context"
	"database/sql"
	"strings"

	"tocsin/db/internal/sqlc"
)

// engine is what SQLite and PostgreSQL do differently, in one place.
type engine struct {
	// forUpdate ends a SELECT of rows that the transaction will change;
	// skipLocked also leaves out the rows that another transaction changes.
	forUpdate, skipLocked string
	// contains is the function that finds a part in a text, 0 for not found.
	contains string
	// indexWords begins the statement that puts rows into the search of a table.
	indexWords map[string]string
	// indexed tells a statement which index of a table to walk, where the
	// database takes hints.
	indexed func(index string) string
	// matching selects the positions that match the words in a placeholder.
	matching func(table, placeholder string) string
	// prefixes writes the words for matching; each may go on.
	prefixes func(words []string) string
	// firstOfEach selects the place of each ticket in a JSON list, and columns of
	// its first rows by an order; the second argument is how many. The order of
	// the answer is free.
	firstOfEach func(columns, table, index string, o order) string
	// lock holds names until the transaction ends, so that what was read under
	// them stays true; nil where one writer holds everything still. lockLedger does it for the ledger and tells the
	// transaction's id, to ask for it should its COMMIT not be answered.
	lock       func(ctx context.Context, db sqlc.DBTX, names []string) error
	lockLedger func(ctx context.Context, db sqlc.DBTX) (id string, err error)
	// identify tells the transaction's id, where nothing goes on the ledger.
	identify func(ctx context.Context, db sqlc.DBTX) (id string, err error)
	// snapshot is the isolation of reads that must see one state.
	snapshot sql.IsolationLevel
	// isConflict tells that the transaction may succeed when it is repeated.
	isConflict func(error) bool
	// isUnavailable tells that the database itself is unwell.
	isUnavailable func(error) bool
}

// session is an open transaction.
type session interface {
	sqlc.DBTX
	Commit() error
	Rollback() error
}

// in writes `column IN (…)`. The list is filled up to a power of two with its
// last value, so that there are few different statements to prepare.
func in[V any](column string, values []V, args *[]any) string {
	n := 1
	for n < len(values) {
		n *= 2
	}
	places := make([]string, n)
	for i := range n {
		places[i] = arg(args, values[min(i, len(values)-1)])
	}
	return column + " IN (" + strings.Join(places, ", ") + ")"
}
