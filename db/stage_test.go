package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		os.Exit(play(part))
	}
	code := m.Run()
	stopPostgres()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "something still runs after all tests:", err)
		code = 1
	}
	os.Exit(code)
}

// stage is a set of books with what a test needs around it.
type stage struct {
	t     testing.TB
	ctx   context.Context // of the test
	url   string
	keys  *Keyring
	books *books
	now   time.Time // the present, as the hub would say
}

// noon is when every test begins.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// eachEngine runs a test on SQLite, in a file of its own, and on PostgreSQL, in
// a database of its own.
func eachEngine(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, onSQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, onPostgres(t)) })
}

func onSQLite(t testing.TB) *stage {
	t.Helper()
	return onStage(t, "sqlite:"+filepath.Join(t.TempDir(), "books.db"))
}

func onPostgres(t testing.TB) *stage {
	t.Helper()
	return onStage(t, newDatabase(t))
}

func onStage(t testing.TB, url string) *stage {
	t.Helper()
	s := &stage{t: t, ctx: context.WithoutCancel(t.Context()), url: url, now: noon}
	keys, err := OpenKeyring(filepath.Join(t.TempDir(), "key"))
	s.must(err)
	s.keys = keys
	s.books = s.open()
	return s
}

// open opens the books once more, as another process would; the end of the test
// closes them.
func (s *stage) open() *books {
	s.t.Helper()
	store, err := Open(s.ctx, s.url, Options{Keyring: s.keys, Now: s.now, Logger: slog.New(slog.DiscardHandler)})
	s.must(err)
	s.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.t.Error("close:", err)
		}
	})
	return store.(*books)
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// pass lets time pass.
func (s *stage) pass(d time.Duration) { s.now = s.now.Add(d) }

const (
	post     = "act_01a20000-0000-7000-8000-000000000001" // an actor
	postPage = "cfg_01a20000-0000-7000-8000-000000000002" // its API configs
	postText = "cfg_01a20000-0000-7000-8000-000000000003"
)

var alice = dispatch.Origin{Kind: dispatch.FromToken, Name: "alice"}

// alert is about a key, which is its dedup key, too.
func (s *stage) alert(key string) dispatch.Alert {
	return dispatch.Alert{
		ID: dispatch.NewID(dispatch.PrefixAlert), BehaviorModel: "Sign-in", Key: &key, Severity: dispatch.Medium,
		Risks: []string{"theft"}, Summary: "Sign-in of " + key, Attributes: dispatch.JSON(`{"host": "db-1"}`),
		DedupKey: key, OccurredAt: s.now, ReceivedAt: s.now, RaisedBy: alice,
	}
}

// member is an alert about a key whose plan joins or opens the key's ticket and
// promises one delivery through each API config, the page unless given.
func (s *stage) member(key string, configs ...string) dispatch.Raising {
	s.t.Helper()
	version, err := s.books.ConfigurationVersion(s.ctx)
	s.must(err)
	if configs == nil {
		configs = []string{postPage}
	}
	a := s.alert(key)
	return dispatch.Raising{Alert: a, Plan: s.plan(a, configs...), ConfigurationVersion: version}
}

func (s *stage) plan(a dispatch.Alert, configs ...string) dispatch.Plan {
	action, name := "acn_1", "Tell"
	p := dispatch.Plan{
		Decisions: []dispatch.Decision{{AlertID: a.ID, ActionID: action, ActionName: name, Verdict: dispatch.Fired, Reason: "it applies", Problems: []string{}}},
		Ticket:    dispatch.PerDedupKey, NewTicket: openedBy(a), Fired: []string{action}, Promised: len(configs),
	}
	for _, c := range configs {
		p.Deliveries = append(p.Deliveries, dispatch.Delivery{
			ID: dispatch.NewID(dispatch.PrefixDelivery), Kind: dispatch.Notify, Status: dispatch.Pending, ActionID: &action, ActionName: &name,
			APIConfigID: c, APIConfigName: c, APIConfigVersion: 1, ActorID: post, ActorName: "Post", ActorKind: "post",
			AlertID: a.ID, CreatedAt: s.now,
		})
	}
	return p
}

// openedBy is the ticket that an alert opens.
func openedBy(a dispatch.Alert) dispatch.Ticket {
	return dispatch.Ticket{
		ID: dispatch.NewID(dispatch.PrefixTicket), Title: a.Summary, Status: dispatch.TicketOpen, Severity: a.Severity,
		BehaviorModel: a.BehaviorModel, Key: a.Key, DedupKey: a.DedupKey, AlertCount: 1, LastAlertAt: &a.ReceivedAt,
		OpenedAt: a.ReceivedAt, UpdatedAt: a.ReceivedAt, Version: 1,
	}
}

// raise stores members, which must succeed.
func (s *stage) raise(members ...dispatch.Raising) []dispatch.Raised {
	s.t.Helper()
	raised := s.books.Raise(s.ctx, members)
	for _, r := range raised {
		s.must(r.Err)
	}
	return raised
}

// lease is how long a claim of a test holds.
const lease = time.Minute

func (s *stage) claim(actorID string, most int) []dispatch.Claimed {
	s.t.Helper()
	claimed, err := s.books.Claim(s.ctx, dispatch.Claim{ActorID: actorID, Now: s.now, Until: s.now.Add(lease), Max: most})
	s.must(err)
	return claimed
}

// settlement ends an attempt with an outcome and the status that follows.
func (s *stage) settlement(c dispatch.Claimed, outcome dispatch.OutcomeKind, status dispatch.DeliveryStatus) dispatch.Settlement {
	spent := 20 * time.Millisecond
	e := dispatch.Settlement{
		DeliveryID: c.Delivery.ID, Attempt: c.Delivery.Attempt, Status: status, At: s.now, ActorID: c.Delivery.ActorID, APIConfigID: c.Delivery.APIConfigID,
		Record: dispatch.Attempt{DeliveryID: c.Delivery.ID, Number: c.Delivery.Attempt, Duration: &spent, Outcome: &outcome},
	}
	if status == dispatch.Pending || status == dispatch.Uncertain {
		e.NextAt = &e.At
	}
	return e
}

func (s *stage) settle(settlements ...dispatch.Settlement) {
	s.t.Helper()
	for _, err := range s.books.Settle(s.ctx, settlements) {
		s.must(err)
	}
}

func (s *stage) delivery(id string) dispatch.Delivery {
	s.t.Helper()
	found, err := s.books.DeliveriesByID(s.ctx, []string{id})
	s.must(err)
	if found[id].ID != id {
		s.t.Fatalf("the delivery %s is not in the books", id)
	}
	return found[id]
}

func (s *stage) ticket(id string) dispatch.Ticket {
	s.t.Helper()
	found, err := s.books.TicketsByID(s.ctx, []string{id})
	s.must(err)
	if found[id].ID != id {
		s.t.Fatalf("the ticket %s is not in the books", id)
	}
	return found[id]
}

func (s *stage) attempts(id string) []dispatch.Attempt {
	s.t.Helper()
	all, err := s.books.AttemptsOf(s.ctx, []string{id})
	s.must(err)
	return all[id]
}

// balances holds the law of conservation, by the kept sums and by the rows.
func (s *stage) balances() dispatch.Accounting {
	s.t.Helper()
	a, err := s.books.Accounting(s.ctx)
	s.must(err)
	if !a.Balances() {
		s.t.Fatalf("the accounting does not balance: %+v", a)
	}
	kept := map[dispatch.DeliveryStatus]int{
		dispatch.Pending: a.Pending, dispatch.Sent: a.Delivered, dispatch.Failed: a.Failed,
		dispatch.Canceled: a.Canceled, dispatch.Skipped: a.Skipped, dispatch.Uncertain: a.Uncertain,
	}
	for status, want := range kept {
		if got := s.count("SELECT COUNT(*) FROM deliveries WHERE status = $1", string(status)); got != want {
			s.t.Fatalf("the books hold %d deliveries %s, the accounting says %d", got, status, want)
		}
	}
	return a
}

// count reads a number straight from the database.
func (s *stage) count(query string, args ...any) int {
	s.t.Helper()
	var n int
	s.must(s.books.pool.QueryRowContext(s.ctx, query, args...).Scan(&n))
	return n
}

// change writes straight into the database, past the writer.
func (s *stage) change(statement string, args ...any) {
	s.t.Helper()
	s.must(s.books.writer.write(s.ctx, nil, func(ctx context.Context, t *tx) error {
		_, err := t.session.ExecContext(ctx, statement, args...)
		return err
	}))
}

func (s *stage) isSQLite() bool { return s.books.engine == &sqliteEngine }

// move moves tickets, which must succeed.
func (s *stage) move(to dispatch.TicketStatus, ids ...string) []dispatch.Ticket {
	s.t.Helper()
	tickets, errs, err := s.books.MoveTickets(s.ctx, dispatch.TicketMove{Tickets: refs(ids...), To: to, By: alice, At: s.now})
	s.must(errors.Join(append(errs, err)...))
	return tickets
}

func insertTicket(row sqlc.Ticket) func(context.Context, *tx) error {
	return func(ctx context.Context, t *tx) error { return ticketTable.insert(ctx, t.session, []sqlc.Ticket{row}) }
}
