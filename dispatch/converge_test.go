package dispatch_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tocsin/dispatch"
)

// fraying is the books of a process that dies: from then on, nothing that it
// sent is settled.
type fraying struct {
	dispatch.Store
	dead atomic.Bool
}

func (f *fraying) Settle(ctx context.Context, all []dispatch.Settlement) []error {
	if f.dead.Load() {
		return slices.Repeat([]error{dispatch.ErrUnavailable}, len(all))
	}
	return f.Store.Settle(ctx, all)
}

// inBubble hides a method that a bubble does not allow.
type inBubble struct{ testing.TB }

// accord is one run: a ticket with a copy in each of three systems.
type accord struct {
	*stage
	books   *fraying
	systems []*system
	told    map[*system]map[int]bool // events handed in
	ticket  string
	moves   int
	before  int // updates of all systems
}

func threeSystems() []*system {
	all := []*system{
		{name: "signs", tells: true, signs: true, asked: true},
		{name: "polled", polled: true, asked: true},
		{name: "echoes", tells: true, mirror: true},
	}
	for _, x := range all {
		x.copies = map[string]*replica{}
	}
	return all
}

// TestSidesConverge: whatever happens in between, all sides end with one
// status, after a bounded number of messages, and stay there.
func TestSidesConverge(t *testing.T) {
	if raced {
		converge(t, 100)
		return
	}
	converge(t, 2_000)
}

// TestSidesConvergeLong does so more often, with TOCSIN_LONG=1.
func TestSidesConvergeLong(t *testing.T) {
	if os.Getenv("TOCSIN_LONG") == "" {
		t.Skip("takes hours; set TOCSIN_LONG=1 to run it")
	}
	converge(t, 50_000)
}

func converge(t *testing.T, runs int) {
	t.Helper()
	path := filepath.Join(inMemory(t), "books.db")
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, post: &script{}, talk: &script{}, hire: &script{}, systems: threeSystems()}
		s.open(path)
		a := &accord{stage: s, systems: s.systems}
		a.rise()
		defer func() { a.rest(); a.must(a.store.Close()) }()
		var configs []dispatch.APIConfig
		for _, x := range a.systems {
			configs = append(configs, s.config(x.name, dispatch.CreateAPIConfigInput{}))
		}
		s.action(nil, configs...)
		// In batches, as rapid has them: it ends by itself after a day, which in a
		// bubble is over within some hundred runs.
		next, run := seeds(t), 0
		for run < runs && !t.Failed() {
			next(run)
			rapid.Check(inBubble{t}, func(rt *rapid.T) {
				run++
				a.begin(fmt.Sprint("key ", run))
				rt.Repeat(map[string]func(*rapid.T){
					"here": a.here, "here again": a.here, "there": a.there, "there again": a.there, "event": a.event, "event twice": a.event,
					"fault": a.fault, "slow": a.slow, "denied": a.deny, "time": a.time, "crash": a.crash,
				})
				a.settles(rt)
			})
		}
		t.Logf("%d runs", run)
	})
}

// inMemory is a directory without a disk below it, where there is one: here
// processes die, not machines, and most of the time went to waiting for a disk.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tocsin-model-") //nolint:usetesting // TempDir lies on the disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// seeds gives each batch moves of its own, the same in every build; the long
// form, and whoever names a seed by hand, has others.
func seeds(t *testing.T) (next func(batch int)) {
	t.Helper()
	seed := flag.Lookup("rapid.seed").Value
	was := seed.String()
	if os.Getenv("TOCSIN_LONG") != "" || was != "0" {
		return func(int) {}
	}
	t.Cleanup(func() { _ = seed.Set(was) })
	return func(batch int) {
		if err := seed.Set(strconv.Itoa(20261125 + batch)); err != nil {
			t.Fatal(err)
		}
	}
}

// rise starts a process over the books.
func (a *accord) rise() {
	a.books = &fraying{Store: a.store}
	a.sit(a.books)
	a.work()
}

func (a *accord) begin(key string) {
	a.told, a.moves, a.before = map[*system]map[int]bool{}, 0, 0
	for _, x := range a.systems {
		x.mu.Lock()
		x.copies, x.events, x.faults, x.slow, x.denied = map[string]*replica{}, nil, nil, 0, false
		x.mu.Unlock()
		a.told[x] = map[int]bool{}
		a.before += x.updated()
	}
	a.ticket = *a.raise("Sign-in", key).TicketID
}

func (a *accord) some(rt *rapid.T) *system { return rapid.SampledFrom(a.systems).Draw(rt, "system") }

func someStatus(rt *rapid.T) dispatch.TicketStatus {
	return rapid.SampledFrom([]dispatch.TicketStatus{dispatch.TicketOpen, dispatch.TicketAcknowledged, dispatch.TicketClosed}).Draw(rt, "status")
}

func (a *accord) name(x *system) string { return x.name + " " + a.ticket }

// here is a person who works on the ticket; a move that is refused is none.
func (a *accord) here(rt *rapid.T) {
	a.moves++
	in := dispatch.TicketsInput{Tickets: []dispatch.TicketRef{{ID: a.ticket}}}
	switch someStatus(rt) {
	case dispatch.TicketAcknowledged:
		_, _ = a.desk.AcknowledgeTickets(a.t.Context(), admin, in)
	case dispatch.TicketClosed:
		_, _ = a.desk.CloseTickets(a.t.Context(), admin, in)
	default:
		_, _ = a.desk.ReopenTickets(a.t.Context(), admin, in)
	}
}

// there is a person who works on a copy.
func (a *accord) there(rt *rapid.T) {
	a.moves++
	x := a.some(rt)
	x.work(a.name(x), someStatus(rt))
}

// event hands any event in, told before or not, early or late.
func (a *accord) event(rt *rapid.T) {
	x := a.some(rt)
	n := x.told()
	if n == 0 {
		return
	}
	i := rapid.IntRange(0, n-1).Draw(rt, "event")
	if reply := a.tell(x, i); reply.Status < 300 {
		a.told[x][i] = true
	}
}

func (a *accord) fault(rt *rapid.T) {
	x := a.some(rt)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faults = append(x.faults, rapid.SampledFrom([]fault{notSent, answerLost}).Draw(rt, "fault"))
}

func (a *accord) slow(rt *rapid.T) {
	x := a.some(rt)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.slow = rapid.SampledFrom([]time.Duration{0, 3 * time.Second}).Draw(rt, "slow")
}

func (a *accord) deny(rt *rapid.T) {
	x := a.some(rt)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.denied = rapid.Bool().Draw(rt, "denied")
}

func (a *accord) time(rt *rapid.T) {
	a.after(rapid.SampledFrom([]time.Duration{time.Millisecond, 2 * time.Second, 15 * time.Second, 2 * time.Minute}).Draw(rt, "time"))
}

// crash ends the process with what it has in its hands, and starts another.
func (a *accord) crash(*rapid.T) {
	a.books.dead.Store(true)
	a.rest()
	a.rise()
}

// settles lets everything come to rest and holds the sides against each other.
func (a *accord) settles(rt *rapid.T) {
	for _, x := range a.systems {
		x.mu.Lock()
		x.faults, x.slow, x.denied = nil, 0, false
		x.mu.Unlock()
	}
	a.after(4 * time.Second) // what was under way ends; it may have found the old credentials
	for _, x := range a.systems {
		id := dispatch.BuiltInActorID(x.name)
		if result, err := a.desk.TestActor(a.t.Context(), admin, dispatch.TestActorInput{ID: &id}); err != nil || !result.OK {
			rt.Fatalf("%s is not resumed: %+v, %v", x.name, result, err)
		}
	}
	a.after(time.Minute) // a breaker may be open
	for range 3 {        // events lead to updates, and these to events
		a.deliverEvents(rt)
		a.after(5 * time.Second)
	}
	if _, err := a.desk.RefreshTicket(a.t.Context(), a.ticket); err != nil {
		rt.Fatalf("refresh: %v", err)
	}
	a.after(15 * time.Second) // a poll, too
	a.deliverEvents(rt)
	a.after(5 * time.Second)
	a.agree(rt)
	sent := a.sent()
	if bound := 12*(a.moves+1) + 12; sent > bound {
		rt.Fatalf("%d updates for %d moves, want at most %d", sent, a.moves, bound)
	}
	a.after(30 * time.Second)
	if again := a.sent(); again != sent {
		rt.Fatalf("all agree, and %d more updates went out", again-sent)
	}
	a.agree(rt)
}

func (a *accord) sent() int {
	n := -a.before
	for _, x := range a.systems {
		n += x.updated()
	}
	return n
}

func (a *accord) deliverEvents(rt *rapid.T) {
	for _, x := range a.systems {
		for i := range x.told() {
			if a.told[x][i] {
				continue
			}
			if reply := a.tell(x, i); reply.Status >= 300 {
				rt.Fatalf("an event of %s was answered %+v", x.name, reply)
			}
			a.told[x][i] = true
		}
	}
}

func (a *accord) agree(rt *rapid.T) {
	found, err := a.desk.TicketsByID(a.t.Context(), []string{a.ticket})
	if err != nil {
		rt.Fatal(err)
	}
	want := found[a.ticket].Status
	for _, x := range a.systems {
		switch got := x.status(a.name(x)); {
		case got == want:
		case got == "" && want == dispatch.TicketClosed: // closed before it was sent
		case got == "" && a.neverSent(x):
		default:
			rt.Fatalf("the ticket is %s, and %s has it as %q%s", want, x.name, got, a.story())
		}
	}
	if n, err := a.desk.Accounting(a.t.Context()); err != nil || !n.Balances() || n.Pending > 0 || n.Uncertain > 0 || n.Failed > 0 {
		rt.Fatalf("accounting %+v, %v", n, err)
	}
}

// neverSent tells whether the alert's delivery was canceled by a close.
func (a *accord) neverSent(x *system) bool {
	list, err := a.desk.Deliveries(a.t.Context(), dispatch.DeliveryFilter{TicketID: &a.ticket, Statuses: []dispatch.DeliveryStatus{dispatch.Canceled}}, dispatch.Page{First: 50})
	return err == nil && slices.ContainsFunc(list.Items, func(d dispatch.Delivery) bool { return d.ActorKind == x.name })
}

// story is the ticket's ledger, for whoever has to find out why.
func (a *accord) story() string {
	list, err := a.desk.TicketEvents(a.t.Context(), dispatch.TicketEventFilter{TicketID: &a.ticket}, dispatch.Ascending, dispatch.Page{First: 100})
	text := ""
	for _, e := range list.Items {
		text += fmt.Sprintf("\n%s %s %s by %s: %s (%s)", e.At.Format("15:04:05.000"), e.Kind, e.Status, e.By.Name, deref(e.Text), deref(e.IgnoredBecause))
	}
	return fmt.Sprint(text, err)
}
