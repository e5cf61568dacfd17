package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"tocsin/actors"
	"tocsin/actors/guard"
	"tocsin/db"
	"tocsin/dispatch"
	"tocsin/graph"
	"tocsin/lambda"
)

// drainLimit is how long the server waits for what is under way when it ends.
const drainLimit = 15 * time.Second

// tune lets the heap grow between collections, since it is small and most of it
// is short-lived; GOGC and GOMEMLIMIT of the environment go before.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(1 << 30) // beyond it, collections are as frequent as it takes
	}
}

// Run serves until ctx ends, and then lets what is under way end.
func (s *Serve) Run(ctx context.Context, std streams) error {
	tune()
	if s.Demo {
		return s.runDemo(ctx, std)
	}
	h, err := s.open(ctx, std)
	if err != nil {
		return err
	}
	if err := h.administrator(ctx, std.out); err != nil {
		return errors.Join(err, h.close())
	}
	h.log.Info("serving", "address", h.address(), "public", h.publicURL, "database", h.storage)
	return h.run(ctx)
}

// house is the program with all its rooms open.
type house struct {
	log       *slog.Logger
	listener  net.Listener
	publicURL string
	storage   string
	started   time.Time
	store     dispatch.Store
	crew      *lambda.Crew
	desk      *dispatch.Desk
	graph     *graph.Server
	http      *http.Server
	watch     *observer
}

// open opens the rooms in their order: books, hub, front door, HTTP.
func (s *Serve) open(ctx context.Context, std streams) (*house, error) {
	allow, err := s.check()
	if err != nil {
		return nil, err
	}
	if err := s.setDefaults(); err != nil {
		return nil, err
	}
	h := &house{log: logger(s.LogFormat, std.err), started: time.Now(), storage: storageName(s.Database)}
	h.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w; choose another address, or end what listens there", err)
	}
	h.publicURL = s.PublicURL
	if h.publicURL == "" {
		h.publicURL = "http://" + h.address()
	}
	if err := s.openRooms(ctx, h, allow); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (s *Serve) openRooms(ctx context.Context, h *house, allow []netip.Prefix) error {
	var err error
	kinds := actors.All()
	if h.store, err = openBooks(ctx, s.Books, kinds, h.log, true); err != nil {
		return err
	}
	conditions, err := lambda.NewConditions()
	if err != nil {
		return fmt.Errorf("start the conditions: %w", err)
	}
	h.crew = s.crew(h.log)
	out := guard.New(allow, netip.MustParseAddrPort(h.listener.Addr().String()))
	h.desk, err = dispatch.NewDesk(ctx, dispatch.Options{
		Store: h.store, Kinds: kinds, Conditions: conditions, Sandbox: h.crew, PublicURL: h.publicURL, Log: h.log,
		World:               dispatch.World{HTTP: out.Client(), Dial: out.Dial, Log: h.log},
		RejectUnknownModels: s.UnknownModels == "reject",
		Alone:               h.storage == sqlite, // a file has one server at a time, a PostgreSQL any number
	})
	if err != nil {
		return err
	}
	h.watch = newObserver(h.desk)
	h.graph = graph.New(h.desk, graph.Options{
		PublicURL: h.publicURL, Version: Version(), Storage: h.storage, StartedAt: h.started, Log: h.log,
		AllowOrigins: s.AllowOrigin, Introspection: s.Introspection,
	})
	h.http = h.newHTTP()
	return nil
}

// openBooks opens the database with the key that seals its secrets.
func openBooks(ctx context.Context, b Books, kinds []dispatch.Kind, log *slog.Logger, serve bool) (dispatch.Store, error) {
	keys, err := db.OpenKeyring(b.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--key-file: %w", err)
	}
	store, err := db.Open(ctx, b.Database, db.Options{Keyring: keys, Logger: log, Kinds: kinds, Serve: serve})
	if err != nil {
		return nil, fmt.Errorf("--database: %w", err)
	}
	return store, nil
}

func (h *house) address() string { return h.listener.Addr().String() }

// administrator makes the first token, when there is none, and prints it once.
func (h *house) administrator(ctx context.Context, out io.Writer) error {
	tokens, err := h.store.Tokens(ctx)
	if err != nil || len(tokens) > 0 {
		return err
	}
	text, err := makeToken(ctx, h.store, "administrator", []dispatch.Scope{dispatch.ScopeAdmin}, nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Administrator token, shown this once: %s\n", text)
	return err
}

// run serves and carries until ctx ends or serving fails, then drains: no new
// work, subscriptions are completed, what is under way ends within a limit.
func (h *house) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	carried := make(chan error, 1)
	go func() { carried <- h.desk.Carry(ctx) }()
	served := make(chan error, 1)
	go func() { served <- h.http.Serve(h.listener) }()
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-served:
	}
	h.watch.draining.Store(true)
	h.log.Info("draining")
	drain, done := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer done()
	err := errors.Join(h.graph.Drain(drain), h.http.Shutdown(drain))
	cancel()
	err = errors.Join(err, <-carried)
	if failed != nil && !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return errors.Join(err, h.close())
}

// close closes the rooms that are open, in reverse.
func (h *house) close() error {
	var err error
	if h.http != nil {
		err = h.http.Close()
	} else if h.listener != nil {
		err = h.listener.Close()
	}
	if h.crew != nil {
		h.crew.Close()
	}
	if h.store != nil {
		err = errors.Join(err, h.store.Close())
	}
	return err
}

func logger(format string, out io.Writer) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(out, nil))
	}
	return slog.New(slog.NewTextHandler(out, nil))
}
