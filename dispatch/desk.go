package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Conditions compiles and evaluates what decides whether an action fires. An
// error of Check is for the author and says where in the text; one of Evaluate
// says why there is no answer. Neither takes long, whatever the source. The
// clauses tell what each part of an and, an or and a not was and saw, the
// failed evaluation's too; the caller may keep them, and changes none.
type Conditions interface {
	Check(source string) error
	Evaluate(ctx context.Context, source string, a Alert, t *Ticket, now time.Time) (holds bool, clauses []Clause, err error)
}

// Clause is a part of a condition as one evaluation saw it.
type Clause struct {
	Expression string `json:"expression"`
	Values     JSON   `json:"values"` // an object: what the names in it stood for
	Result     *bool  `json:"result"` // nil: not looked at, since the rest had decided, or failed
}

// Options are what a desk is made of.
type Options struct {
	Store      Store
	Kinds      []Kind
	Conditions Conditions
	Sandbox    Sandbox
	World      World  // Notify and Instance are the desk's own
	PublicURL  string // without a slash at its end
	Log        *slog.Logger
	// RejectUnknownModels refuses alerts of models that nobody registered,
	// instead of registering them.
	RejectUnknownModels bool
	// Alone says that no other process serves these books, so that a lease found
	// at the start is a dead one.
	Alone bool
}

// Desk answers the API: it checks, decides, asks the books and rings the bell.
// It is safe for many goroutines.
type Desk struct {
	ReadStore
	LedgerStore

	store      Store
	kinds      []Kind
	conditions Conditions
	world      World
	publicURL  string
	log        *slog.Logger
	options    Options
	bell       *Bell
	tokens     tokenCache
	tails      tails
	messengers messengers
	counts     syncCounts
	lines      lines
	raising    atomic.Int64 // alerts on their way into the books

	changing sync.Mutex   // one change of the configuration at a time
	still    sync.RWMutex // held for reading by who needs the configuration to stay as it is
	snapshot atomic.Pointer[Configuration]
}

// NewDesk reads the configuration and makes a desk.
func NewDesk(ctx context.Context, o Options) (*Desk, error) {
	d := &Desk{
		ReadStore: o.Store, LedgerStore: o.Store, store: o.Store, kinds: o.Kinds, conditions: o.Conditions,
		world: o.World, publicURL: o.PublicURL, log: o.Log, options: o, bell: NewBell(),
	}
	d.tails.start(d)
	d.world.Instance = o.Store.Instance()
	d.world.Notify = d.notify
	if err := d.reload(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Configuration is the present snapshot.
func (d *Desk) Configuration(context.Context) (*Configuration, error) { return d.snapshot.Load(), nil }

// LambdaAt is a lambda as it was at a version, deleted ones too.
func (d *Desk) LambdaAt(ctx context.Context, id string, version int) (Lambda, error) {
	return d.store.LambdaAt(ctx, id, version)
}

// Kinds are the sorts of actors that this build can talk to, in the order users see.
func (d *Desk) Kinds() []Kind { return d.kinds }

// Kind finds a sort of actor by name.
func (d *Desk) Kind(name string) (Kind, bool) {
	i := slices.IndexFunc(d.kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return d.kinds[i], true
}

// Healths tells how actors or API configs do, by id; those never tried are UNKNOWN.
func (d *Desk) Healths(ctx context.Context, ids []string) (map[string]Health, error) {
	found, err := d.store.Healths(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Health, len(ids))
	cfg := d.snapshot.Load()
	for _, id := range ids {
		h, ok := found[id]
		if !ok || h.Status == "" {
			h.Status = HealthUnknown
		}
		if actor, ok := cfg.Actors[id]; ok && !actor.Enabled {
			h.Status = HealthDisabled
		}
		out[id] = h
	}
	return out, nil
}

// Ready is nil when the server can do its work; else it says why not.
func (d *Desk) Ready(ctx context.Context) error { return d.store.Ready(ctx) }

// TicketURL is where a person finds a ticket.
func (d *Desk) TicketURL(id string) string { return d.publicURL + "/tickets/" + id }

func (d *Desk) reload(ctx context.Context) error {
	cfg, err := d.store.Configuration(ctx)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	d.adopt(cfg)
	return nil
}

// adopt makes a configuration the present one, unless a newer one is known.
func (d *Desk) adopt(cfg *Configuration) {
	for {
		known := d.snapshot.Load()
		if known != nil && known.Version >= cfg.Version {
			return
		}
		if d.snapshot.CompareAndSwap(known, cfg) {
			d.bell.Ring(ringConfiguration)
			return
		}
	}
}

func (d *Desk) notify(ctx context.Context, n Notification) error {
	if err := d.store.AddNotification(ctx, n); err != nil {
		return err
	}
	d.ringLedger()
	return nil
}

// maxChanges bounds how often a change is worked out again because another
// process changed the configuration first.
const maxChanges = 10

// change works out a change on the present configuration and writes it; when
// the configuration moved meanwhile it works it out again. It returns the id
// of the first answer when the change is a repeat.
func (d *Desk) change(ctx context.Context, by Origin, r *Repeat, work func(cfg *Configuration, now time.Time) (ConfigurationChange, error)) (firstID string, err error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	for range maxChanges {
		now := moment()
		if r != nil {
			if first, err := d.store.FirstAnswer(ctx, *r, now); first != "" || err != nil {
				return first, keyRefusal(err)
			}
		}
		cfg := d.snapshot.Load()
		c, err := work(cfg, now)
		if err != nil {
			return "", err
		}
		if len(c.Events) == 0 && r == nil {
			return "", nil // another one was quicker to say the same
		}
		c.Base, c.At, c.By, c.Repeat = cfg.Version, now, by, r
		first, err := d.write(ctx, cfg, c)
		if err == nil {
			return first, nil
		}
		if !errors.Is(err, ErrStale) {
			return "", keyRefusal(err)
		}
		if err := d.reload(ctx); err != nil {
			return "", err
		}
	}
	return "", ErrStale
}

// write writes a change and makes the next snapshot of it.
func (d *Desk) write(ctx context.Context, cfg *Configuration, c ConfigurationChange) (firstID string, err error) {
	d.still.Lock()
	defer d.still.Unlock()
	firstID, err = d.store.Configure(lasting(ctx), c)
	switch {
	case err != nil:
	case firstID == c.ID:
		d.apply(cfg, c)
	default: // another process has answered this key
		err = d.reload(lasting(ctx))
	}
	return firstID, err
}

func (d *Desk) apply(cfg *Configuration, c ConfigurationChange) {
	d.adopt(cfg.with(c))
	d.ringLedger()
	if len(c.Resume) > 0 {
		d.bell.Ring(ringHealth)
	}
}

// lasting is ctx without its end, for what is written: a transaction goes on
// when its caller has gone, and then this hub must hear of it all the same, to
// ring for it.
func lasting(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// keyRefusal turns a reused idempotency key into a user error.
func keyRefusal(err error) error {
	if errors.Is(err, ErrKeyReused) {
		return Refuse(CodeIdempotencyKeyReused, "idempotencyKey", "came before with another input; use a new key for a new request")
	}
	return err
}

// moment is the present as the books keep it: UTC, whole milliseconds.
func moment() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
