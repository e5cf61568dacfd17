package db

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strconv"
	"sync"
)

// maxPrepared bounds the statements that a connection keeps ready.
const maxPrepared = 500

var placeholder = regexp.MustCompile(`\$[0-9]+`)

// positional writes the placeholders of a statement as `?` where they come in
// order, each once: SQLite's driver asks for the name of every one that has a
// name, each time it binds.
func positional(query string) string {
	n := 0
	ordered := true
	plain := placeholder.ReplaceAllStringFunc(query, func(p string) string {
		n++
		ordered = ordered && p == "$"+strconv.Itoa(n)
		return "?"
	})
	if !ordered {
		return query
	}
	return plain
}

// readers are the connections that only read. On SQLite they keep statements
// ready, since to read one takes longer than to run it; PostgreSQL's driver
// does so itself. Inside of a transaction none is kept, as that would wait for
// a further connection.
type readers struct {
	*sql.DB
	keeps bool

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

func newReaders(db *sql.DB, keeps bool) *readers {
	return &readers{DB: db, keeps: keeps, prepared: map[string]*sql.Stmt{}}
}

// statement is nil when the statement is not kept.
func (r *readers) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if !r.keeps {
		return nil, nil //nolint:nilnil // nothing is kept
	}
	r.mu.RLock()
	s, full := r.prepared[query], len(r.prepared) >= maxPrepared
	r.mu.RUnlock()
	if s != nil || full {
		return s, nil
	}
	s, err := r.PrepareContext(ctx, positional(query))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if first := r.prepared[query]; first != nil { // another caller was quicker
		return first, s.Close()
	}
	r.prepared[query] = s
	return s, nil
}

// QueryContext is for sqlc.DBTX.
func (r *readers) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := r.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return r.DB.QueryContext(ctx, query, args...)
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext is for sqlc.DBTX.
func (r *readers) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s, err := r.statement(ctx, query); err == nil && s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return r.DB.QueryRowContext(ctx, query, args...)
}

// Close ends the statements and the connections.
func (r *readers) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, s := range r.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, r.DB.Close())...)
}
