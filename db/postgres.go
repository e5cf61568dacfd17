package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

var postgresEngine = engine{
	forUpdate:  " FOR UPDATE",
	skipLocked: " FOR UPDATE SKIP LOCKED",
	contains:   "strpos",
	indexWords: map[string]string{
		"alerts":  "INSERT INTO alerts_words (position, search) SELECT position, " + lexemes + " FROM alerts",
		"tickets": "INSERT INTO tickets_words (position, search) SELECT number, " + lexemes + " FROM tickets",
	},
	indexed: func(string) string { return "" },
	firstOfEach: func(columns, table, _ string, o order) string {
		return "SELECT j.number - 1, " + columns + " FROM json_array_elements_text(CAST($1 AS JSON)) WITH ORDINALITY AS j(value, number) CROSS JOIN LATERAL (SELECT * FROM " + table +
			" AS y WHERE y.ticket_id = j.value ORDER BY " + o.by("y") + " LIMIT $2) AS x"
	},
	matching: func(table, placeholder string) string {
		return "SELECT w.position FROM " + table + "_words w WHERE w.search @@ CAST(CAST(" + placeholder + " AS TEXT) AS TSQUERY)"
	},
	prefixes:      func(words []string) string { return "'" + strings.Join(words, "':* & '") + "':*" },
	lock:          lockNamed,
	lockLedger:    lockLedger,
	identify:      identify,
	snapshot:      sql.LevelRepeatableRead,
	isConflict:    isPostgresConflict,
	isUnavailable: isPostgresUnwell,
}

// lexemes takes the words as the program has split and folded them.
const lexemes = "array_to_tsvector(string_to_array(ltrim(words), ' '))"

// lockID is a name as advisory locks know it. Two names with one number only
// wait for each other without need.
func lockID(name string) int64 {
	sum := sha256.Sum256([]byte("tocsin " + name))
	return int64(binary.BigEndian.Uint64(sum[:])) //nolint:gosec // all 64 bits are wanted, whatever the sign
}

// lockNamed takes the locks in the order of their numbers, which is the same in
// every process, so that none waits for another in a circle.
func lockNamed(ctx context.Context, db sqlc.DBTX, names []string) error {
	ids := make([]int64, len(names))
	for i, name := range names {
		ids[i] = lockID(name)
	}
	slices.Sort(ids)
	_, err := db.ExecContext(ctx, "SELECT pg_advisory_xact_lock(id) FROM unnest(CAST($1 AS BIGINT[])) AS id", slices.Compact(ids))
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}

// lockLedger holds the ledger up to the end of the transaction, so that its
// numbers grow in the order of commits.
func lockLedger(ctx context.Context, db sqlc.DBTX) (id string, err error) {
	err = db.QueryRowContext(ctx, "SELECT CAST(pg_current_xact_id() AS TEXT), pg_advisory_xact_lock($1)", lockID("ledger")).Scan(&id, new(any))
	return id, err
}

func identify(ctx context.Context, db sqlc.DBTX) (id string, err error) {
	err = db.QueryRowContext(ctx, "SELECT CAST(pg_current_xact_id() AS TEXT)").Scan(&id)
	return id, err
}

// The states that PostgreSQL gives as SQLSTATE; two characters are a class.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
var (
	conflictStates = []string{"40001", "40P01"}
	unwellStates   = []string{"08", "25006", "53", "57", "58"}
)

// hasState tells whether the server answered with one of the states.
func hasState(err error, states []string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.ContainsFunc(states, func(s string) bool { return strings.HasPrefix(e.Code, s) })
}

func isPostgresConflict(err error) bool { return hasState(err, conflictStates) }

// isPostgresUnwell tells the errors of the server and of the way to it from
// those of a statement.
func isPostgresUnwell(err error) bool {
	if hasState(err, unwellStates) {
		return true
	}
	for _, lost := range []error{
		driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	} {
		if errors.Is(err, lost) {
			return true
		}
	}
	var refused *pgconn.ConnectError
	var broken net.Error
	return errors.As(err, &refused) || errors.As(err, &broken)
}

// connectLimit is how long a server may take to greet us.
const connectLimit = 10 * time.Second

// openPostgres migrates the database, then opens the one writer and the readers.
func openPostgres(ctx context.Context, url string) (*books, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open the database: its address cannot be read: %w; give one such as postgres://user@host/name", err)
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > connectLimit {
		config.ConnectTimeout = connectLimit
	}
	if err := preparePostgres(ctx, config); err != nil {
		return nil, fmt.Errorf("open the database %s on %s: %w", config.Database, config.Host, explainPostgres(err))
	}
	writing := connect(config, limited...)
	writing.SetMaxOpenConns(1)
	pool := connect(config, slices.Concat(walking, limited)...)
	pool.SetMaxOpenConns(4 * runtime.GOMAXPROCS(0))
	pool.SetMaxIdleConns(4 * runtime.GOMAXPROCS(0))
	return &books{
		engine: &postgresEngine, pool: newReaders(pool, false), reads: sqlc.New(pool),
		writer: &writer{
			engine:  &postgresEngine,
			begin:   func(ctx context.Context) (session, error) { return beginPostgres(ctx, writing) },
			settled: func(ctx context.Context, id string) error { return committed(ctx, pool, id) },
			patient: func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(context.WithoutCancel(ctx), patience)
			},
		},
		room:    func() error { return nil }, // of a server elsewhere
		release: func() error { return errors.Join(pool.Close(), writing.Close()) },
	}, nil
}

// walking makes readers walk the index that a list is written for: the shortest
// walk wins, whatever the statistics say of the order of rows on the disk.
var walking = []string{
	"SET enable_sort = off", "SET random_page_cost = 1", "SET plan_cache_mode = force_custom_plan",
	"SET default_transaction_read_only = on",
}

// limited makes the server itself end a statement that takes too long, and a
// transaction whose process does not speak any more, with all of its locks. A
// migration may take its time.
var limited = []string{"SET statement_timeout = '60s'", "SET idle_in_transaction_session_timeout = '60s'", "SET enable_seqscan = off"}

// connect opens connections that all have the same settings. They are set once
// connected, for poolers in between refuse them at the start.
func connect(config *pgx.ConnConfig, settings ...string) *sql.DB {
	settings = append([]string{"SET jit = off", "SET application_name = 'tocsin'"}, settings...)
	return stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, strings.Join(settings, "; "))
		return err
	}))
}

// pgTx is a transaction on PostgreSQL.
type pgTx struct{ *sql.Tx }

func beginPostgres(ctx context.Context, db *sql.DB) (session, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	return pgTx{tx}, nil
}

// Rollback is nothing for a transaction whose connection is gone.
func (t pgTx) Rollback() error {
	if err := t.Tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// askAgain is how often the server is asked what became of a transaction.
const askAgain = 100 * time.Millisecond

// committed asks whether a transaction is in the books, for as long as it is
// under way or the server does not answer.
func committed(ctx context.Context, db *sql.DB, id string) error {
	if id == "" {
		return dispatch.ErrOutcomeUnknown
	}
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		var status *string
		err := db.QueryRowContext(ctx, "SELECT pg_xact_status(CAST(CAST($1 AS TEXT) AS XID8))", id).Scan(&status)
		switch {
		case err != nil && !isPostgresUnwell(err), err == nil && status == nil:
			return dispatch.ErrOutcomeUnknown
		case err == nil && *status == "committed":
			return nil
		case err == nil && *status == "aborted":
			return dispatch.ErrUnavailable
		}
		select {
		case <-ctx.Done():
			return dispatch.ErrOutcomeUnknown
		case <-again.C:
		}
	}
}

// oldestServer is the first that knows the names of transactions.
const oldestServer = 130_000

func preparePostgres(ctx context.Context, config *pgx.ConnConfig) error {
	db := connect(config)
	defer db.Close()
	var version int
	var encoding string
	var standby bool
	err := db.QueryRowContext(ctx, "SELECT CAST(current_setting('server_version_num') AS INTEGER), current_setting('server_encoding'), pg_is_in_recovery()").
		Scan(&version, &encoding, &standby)
	switch {
	case err != nil:
		return err
	case version < oldestServer:
		return fmt.Errorf("the server has version %d; give one of version 13 or later", version/10_000)
	case encoding != "UTF8":
		return fmt.Errorf("its encoding is %s; make one with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0", encoding)
	case standby:
		return errors.New("the server is a standby and cannot be written; give the address of the primary")
	}
	oneByOne, err := oneAtATime()
	if err != nil {
		return err
	}
	return migrate(ctx, db, goose.DialectPostgres, "postgres", oneByOne)
}

// explainPostgres says what to do about the errors that operators meet.
func explainPostgres(err error) error {
	var refused *pgconn.ConnectError
	switch {
	case hasState(err, []string{"28"}):
		return fmt.Errorf("the server refuses the user; check user and password: %w", err)
	case hasState(err, []string{"3D000"}):
		return fmt.Errorf("the server has no such database; make it with CREATE DATABASE: %w", err)
	case hasState(err, []string{"42501"}):
		return fmt.Errorf("the user may not make tables there; let him own the database, or GRANT CREATE on its schema: %w", err)
	case hasState(err, []string{"53300"}):
		return fmt.Errorf("the server has no connection left; raise its max_connections, or stop others: %w", err)
	case errors.As(err, &refused):
		return fmt.Errorf("no server can be reached there; check the address, and that the server runs: %w", err)
	default:
		return err
	}
}
