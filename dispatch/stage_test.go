package dispatch_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/db"
	"tocsin/dispatch"
	"tocsin/lambda"
)

// stage is a hub with its real books, and messengers that act by script. It
// lives in a bubble, whose clock runs when everybody waits.
type stage struct {
	t     *testing.T
	store dispatch.Store
	desk  *dispatch.Desk
	post  *script // of the actor "Post", whose repeats are harmless
	talk  *script // of the actor "Talk", whose repeats are seen
	hire  *script // of actors that exist only when they are added
	kinds []dispatch.Kind
	// systems are external ones with which tickets are kept the same.
	systems []*system
	stop    context.CancelFunc
	ended   chan error
}

var admin = dispatch.Caller{TokenID: "tok_test", Name: "alice", Scopes: []dispatch.Scope{dispatch.ScopeAdmin}}

// script is a messenger that answers as told, and delivers when it is told no more.
type script struct {
	mu       sync.Mutex
	outcomes []func(dispatch.Parcel) dispatch.Outcome
	calls    []call
	opening  func() // what happens when the messenger is made
	test     dispatch.Outcome
}

// call is a delivery that the messenger was handed.
type call struct {
	id      string
	attempt int
	summary string
	text    string
	at      time.Time
}

type settings struct {
	Address string `json:"address" title:"Address" doc:"Where." format:"uri"`
	Token   string `json:"token" title:"Token" doc:"The token." secret:"true"`
}

type configSettings struct {
	Text   string                   `json:"text" title:"Text" doc:"What to say." template:"true"`
	Unsure dispatch.UncertainPolicy `json:"onUncertain" title:"When unsure" doc:"What then." enum:"RESEND,PARK"`
}

func (c *configSettings) OnUncertain() dispatch.UncertainPolicy { return c.Unsure }

// then adds what the messenger answers next.
func (s *script) then(outcomes ...dispatch.Outcome) {
	for _, o := range outcomes {
		s.do(func(dispatch.Parcel) dispatch.Outcome { return o })
	}
}

func (s *script) do(f func(dispatch.Parcel) dispatch.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes = append(s.outcomes, f)
}

// Deliver answers as told.
func (s *script) Deliver(_ context.Context, p dispatch.Parcel) dispatch.Outcome {
	s.mu.Lock()
	text := p.Settings.(*configSettings).Text
	s.calls = append(s.calls, call{p.DeliveryID, p.Attempt, p.Alert.Summary, text, time.Now()})
	var f func(dispatch.Parcel) dispatch.Outcome
	if len(s.outcomes) > 0 {
		f, s.outcomes = s.outcomes[0], s.outcomes[1:]
	}
	s.mu.Unlock()
	if f == nil {
		return dispatch.Delivered(dispatch.Ref{ID: "ref " + p.DeliveryID})
	}
	return f(p)
}

// Test answers what the script says; delivered unless told.
func (s *script) Test(context.Context) dispatch.Outcome {
	if s.test.Err() == nil {
		return dispatch.Delivered(dispatch.Ref{})
	}
	return s.test
}

func (s *script) seen() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call(nil), s.calls...)
}

func (s *script) kind(name string, idempotent bool) dispatch.Kind {
	return dispatch.Kind{
		Name: name, Title: name, BuiltIn: true, Idempotent: idempotent, DefaultName: name + "-Default",
		Settings: &settings{}, ConfigSettings: &configSettings{Text: "{{.Alert.Summary}} {{.Ticket.Number}}"},
		Open: func(any, dispatch.World) (dispatch.Messenger, error) {
			s.mu.Lock()
			opening := s.opening
			s.mu.Unlock()
			if opening != nil {
				opening()
			}
			return s, nil
		},
	}
}

// onStage runs a test in a bubble, with the couriers at work.
func onStage(t *testing.T, test func(s *stage)) {
	t.Helper()
	onStageWith(t, nil, test)
}

func onStageWith(t *testing.T, systems []*system, test func(s *stage)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "books.db")
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, post: &script{}, talk: &script{}, hire: &script{}, systems: systems}
		s.open(path)
		s.work()
		defer s.close()
		test(s)
	})
}

func (s *stage) open(path string) {
	keys, err := db.OpenKeyring(path + ".key")
	s.must(err)
	s.kinds = []dispatch.Kind{s.post.kind("post", true), s.talk.kind("talk", false), s.hire.kind("hire", true)}
	s.kinds[2].BuiltIn = false
	for _, x := range s.systems {
		s.kinds = append(s.kinds, x.kind())
	}
	s.store, err = db.Open(s.t.Context(), "sqlite:"+path, db.Options{Keyring: keys, Kinds: s.kinds, Logger: slog.New(slog.DiscardHandler)})
	s.must(err)
	s.sit(s.store)
}

// sit makes the hub over some books.
func (s *stage) sit(store dispatch.Store) {
	conditions, err := lambda.NewConditions()
	s.must(err)
	s.desk, err = dispatch.NewDesk(s.t.Context(), dispatch.Options{
		Store: store, Kinds: s.kinds, Conditions: conditions, PublicURL: "https://tocsin.example.com",
		Log: slog.New(slog.DiscardHandler), Alone: true,
	})
	s.must(err)
}

// work starts the couriers.
func (s *stage) work() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.ended = cancel, make(chan error, 1)
	go func() { s.ended <- s.desk.Carry(ctx) }()
}

// rest stops the couriers and waits for them.
func (s *stage) rest() {
	s.stop()
	s.must(<-s.ended)
}

func (s *stage) close() {
	s.rest()
	s.must(s.store.Close())
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// config makes an API config and an action that delivers all alerts through it.
func (s *stage) config(kind string, in dispatch.CreateAPIConfigInput) dispatch.APIConfig {
	s.t.Helper()
	in.ActorType = kind
	config, err := s.desk.CreateAPIConfig(s.t.Context(), admin, in)
	s.must(err)
	return config
}

func (s *stage) action(change func(*dispatch.CreateActionInput), configs ...dispatch.APIConfig) dispatch.Action {
	s.t.Helper()
	all := true
	in := dispatch.CreateActionInput{Name: "All " + configs[0].Name, AllModels: &all}
	for _, c := range configs {
		in.APIConfigIDs = append(in.APIConfigIDs, c.ID)
	}
	if change != nil {
		change(&in)
	}
	action, err := s.desk.CreateAction(s.t.Context(), admin, in)
	s.must(err)
	return action
}

func (s *stage) raise(summary, key string) dispatch.Raised {
	s.t.Helper()
	raised, err := s.desk.Raise(s.t.Context(), admin, dispatch.RaiseAlertInput{BehaviorModel: "Model", Summary: summary, Key: &key})
	s.must(err)
	return raised
}

// after lets time pass until everybody waits for something later.
func (s *stage) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (s *stage) delivery(id string) dispatch.Delivery {
	s.t.Helper()
	found, err := s.desk.DeliveriesByID(s.t.Context(), []string{id})
	s.must(err)
	return found[id]
}

func (s *stage) wantStatus(id string, want dispatch.DeliveryStatus) dispatch.Delivery {
	s.t.Helper()
	d := s.delivery(id)
	if d.Status != want {
		s.t.Fatalf("the delivery is %s (%v), want %s", d.Status, deref(d.Reason), want)
	}
	return d
}

func (s *stage) attempts(id string) []dispatch.Attempt {
	s.t.Helper()
	all, err := s.desk.AttemptsOf(s.t.Context(), []string{id})
	s.must(err)
	return all[id]
}

func (s *stage) notices() []dispatch.Notification {
	s.t.Helper()
	list, err := s.desk.Notifications(s.t.Context(), nil, dispatch.Page{First: 100})
	s.must(err)
	return list.Items
}

func (s *stage) balances() dispatch.Accounting {
	s.t.Helper()
	a, err := s.desk.Accounting(s.t.Context())
	s.must(err)
	if !a.Balances() {
		s.t.Fatalf("the accounting does not balance: %+v", a)
	}
	return a
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

var errNo = errors.New("the receiver said no")
