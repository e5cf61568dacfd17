// Package db is the books: dispatch.Store on SQLite, in one file, and on
// PostgreSQL, for any number of processes.
//
// It keeps what the hub decides and answers what was asked; it decides nothing
// about alerts, calls nobody outside and starts no work of its own. Queries
// that are the same for every call are in queries/ and are checked by sqlc;
// statements whose length depends on their input are composed in table.go,
// walk.go and the lists; what the engines do differently is in sqlite.go and
// postgres.go, behind engine.
//
// All writes pass through one writer, which lets calls that meet share a
// transaction (group.go). Whoever writes a ticket holds the lock of its dedup
// key, whoever answers to an idempotency key the lock of that; on SQLite, which
// has one writer, that costs nothing.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

//go:generate go tool -modfile=../tools/go.mod sqlc generate -f ../sqlc.yaml

// Options are what the books need beside their address.
type Options struct {
	// Keyring seals the secrets of actors; required.
	Keyring *Keyring
	// Logger hears of what is odd but no error; nil for silence.
	Logger *slog.Logger
	// Kinds are the actor types of this build: for each that is built in,
	// an actor exists from the beginning.
	Kinds []dispatch.Kind
	// Serve says that the caller is the server. A SQLite file has one server at
	// a time; other programs may open it beside.
	Serve bool
	// Now is the time that is written into new books.
	Now time.Time
}

// Open opens the books at `sqlite:PATH` (or just PATH) or at
// `postgres://user@host/name`, makes them when they are new, and brings their
// schema up to date. An error says what stands in the way and what to do.
func Open(ctx context.Context, url string, o Options) (dispatch.Store, error) {
	if o.Keyring == nil {
		return nil, errors.New("open the database: no keyring; open one with OpenKeyring")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var b *books
	var err error
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		b, err = openPostgres(ctx, url)
	} else {
		b, err = openSQLite(ctx, strings.TrimPrefix(url, "sqlite:"), o.Serve)
	}
	if err != nil {
		return nil, err
	}
	b.keyring, b.log, b.release = o.Keyring, o.Logger, sync.OnceValue(b.release)
	b.writer.keyring = o.Keyring
	if err := b.found(ctx, o); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// books is dispatch.Store.
type books struct {
	engine   *engine
	writer   *writer
	pool     *readers
	sessions *sessions     // on SQLite
	reads    *sqlc.Queries // over the pool
	keyring  *Keyring
	log      *slog.Logger
	instance string
	room     func() error // why there is no space for writing
	release  func() error // closes all that was opened, once
}

var _ dispatch.Store = (*books)(nil)

// found makes new books ready, and checks that old ones belong to the keyring.
func (b *books) found(ctx context.Context, o Options) error {
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	err := b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error {
		_, err := t.FoundBooks(ctx, sqlc.FoundBooksParams{
			Instance: uuid.NewString(), Canary: b.keyring.seal(canary, []byte(canaryText)), CreatedAt: ms(now),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	meta, err := b.reads.Meta(ctx)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	b.instance = meta.Instance
	if err := b.keyring.checkCanary(meta.Canary); err != nil {
		return err
	}
	return b.addBuiltIn(ctx, o.Kinds, now)
}

// addBuiltIn adds the actors that exist without being added.
func (b *books) addBuiltIn(ctx context.Context, kinds []dispatch.Kind, now time.Time) error {
	c, err := b.Configuration(ctx)
	if err != nil {
		return err
	}
	change := dispatch.ConfigurationChange{Base: c.Version, At: now, By: dispatch.System}
	for _, k := range kinds {
		id := dispatch.BuiltInActorID(k.Name)
		if _, known := c.Actors[id]; known || !k.BuiltIn {
			continue
		}
		a := dispatch.Actor{ID: id, Name: k.Title, Kind: k.Name, BuiltIn: true, Enabled: true, Sync: dispatch.SyncBoth, Settings: dispatch.JSON("{}"), Version: 1, CreatedAt: now, UpdatedAt: now}
		change.Put.Actors = append(change.Put.Actors, a)
		change.Events = append(change.Events, dispatch.ConfigurationEvent{
			At: now, By: dispatch.System, Kind: dispatch.Created, Type: dispatch.TypeActor, TargetID: id, TargetName: a.Name, Version: 1,
		})
	}
	if len(change.Events) == 0 {
		return nil
	}
	_, err = b.Configure(ctx, change)
	if errors.Is(err, dispatch.ErrStale) { // another process was quicker; look again
		return b.addBuiltIn(ctx, kinds, now)
	}
	return err
}

// snapshot runs reads that must see one state of the books.
func (b *books) snapshot(ctx context.Context, read func(*sqlc.Queries, sqlc.DBTX) error) error {
	if b.sessions != nil {
		return b.sessions.snapshot(ctx, read)
	}
	tx, err := b.pool.BeginTx(ctx, &sql.TxOptions{Isolation: b.engine.snapshot, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return read(sqlc.New(tx), tx)
}

// once runs a read of one statement, or of several that need not see one state.
func once[T any](ctx context.Context, b *books, read func(sqlc.DBTX) (T, error)) (found T, err error) {
	if b.sessions == nil {
		return read(b.pool)
	}
	err = b.sessions.use(ctx, func(c whole) error {
		found, err = read(c)
		return err
	})
	return found, err
}

// Ready implements dispatch.Store: it writes, and leaves nothing. After a write
// that failed there must also be room for more than that little.
func (b *books) Ready(ctx context.Context) error {
	ailing := b.writer.ailing.Load()
	err := b.writer.write(ctx, nil, func(_ context.Context, t *tx) error {
		t.proving = true
		return nil
	})
	if err != nil || !ailing {
		return err
	}
	if err := b.room(); err != nil {
		return fmt.Errorf("%w: %w", dispatch.ErrUnavailable, err)
	}
	b.writer.ailing.Store(false)
	return nil
}

// Instance implements dispatch.Store.
func (b *books) Instance() string { return b.instance }

// Close implements dispatch.Store.
func (b *books) Close() error {
	b.writer.close()
	return b.release()
}
