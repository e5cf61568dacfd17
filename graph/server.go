package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/plan"
)

// Options are what a server is told beside its desk.
type Options struct {
	PublicURL string // where people find this server, without a slash at its end
	Version   string
	Storage   string // `sqlite` or `postgresql`
	StartedAt time.Time
	Log       *slog.Logger
	// AllowOrigins are the origins, beside the server's own, whose pages may open
	// a WebSocket, such as "https://board.example.com". CORS headers of plain
	// requests are not made here.
	AllowOrigins []string
	// Introspection lets tokens ask for the schema.
	Introspection bool
	// Observe, if set, hears of every operation that ended. It must be quick.
	Observe func(Operation)
}

// Operation is what is counted of an operation. Nothing in it is the caller's text.
type Operation struct {
	Kind   string   // query, mutation or subscription; "" when it could not be read
	Fields []string // names of its root fields in the schema
	Code   string   // of its first top-level error; "" when there was none
	Took   time.Duration
}

// Server answers GraphQL over HTTP, server-sent events and WebSocket. It is
// safe for many goroutines. Drain ends it.
type Server struct {
	desk   *dispatch.Desk
	o      Options
	exec   *executor.Executor
	guards map[string]dispatch.Scope
	plans  *plan.Plans
	vigil  *vigil
	chorus chorus

	mu       sync.Mutex
	draining bool
	live     sync.WaitGroup
	soft     context.Context //nolint:containedctx // ends when streams are to end
	hard     context.Context //nolint:containedctx // ends when everything is
	softEnd  context.CancelCauseFunc
	hardEnd  context.CancelCauseFunc
}

// New makes a server that is ready to serve.
func New(desk *dispatch.Desk, o Options) *Server {
	s := &Server{desk: desk, o: o, vigil: keepVigil(desk.Authenticate)}
	s.soft, s.softEnd = context.WithCancelCause(context.Background())
	s.hard, s.hardEnd = context.WithCancelCause(context.Background())
	r := resolver{desk: desk, publicURL: o.PublicURL, server: &gen.Server{
		Version: o.Version, SchemaHash: schemaHash(), StartedAt: o.StartedAt, Storage: o.Storage,
		Limits: &gen.Limits{
			MaxPageSize: maxPageSize, MaxComplexity: maxCost, MaxDepth: maxDepth,
			MaxRequestBytes: maxBody, MaxSubscriptionsPerConnection: maxRunning,
		},
	}}
	executable := gen.NewExecutableSchema(gen.Config{Resolvers: r, Directives: gen.DirectiveRoot{Scope: requireScope}})
	s.guards = guards(executable.Schema())
	s.plans = s.newPlans(executable.Schema(), r)
	s.exec = executor.New(executable)
	s.exec.SetErrorPresenter(s.present)
	s.exec.SetRecoverFunc(recovered)
	s.exec.SetParserTokenLimit(maxTokens)
	s.exec.SetDisableSuggestion(true)
	s.exec.SetDefaultRulesFn(quietRules)
	known := newDocuments()
	s.exec.SetQueryCache(known)
	s.exec.Use(limits{executable.Schema(), known, o.Introspection})
	s.exec.AroundFields(s.guardType)
	s.exec.AroundRootFields(s.freshLoaders)
	return s
}

// quietRules are the rules of validation without guesses at what was meant:
// they cost time, and tell the schema to who may not ask for it.
func quietRules() *rules.Rules {
	all := rules.NewDefaultRules()
	all.ReplaceRule(rules.KnownArgumentNamesRule.Name, rules.KnownArgumentNamesRuleWithoutSuggestions.RuleFunc)
	all.ReplaceRule(rules.KnownTypeNamesRule.Name, rules.KnownTypeNamesRuleWithoutSuggestions.RuleFunc)
	all.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, rules.ValuesOfCorrectTypeRuleWithoutSuggestions.RuleFunc)
	return all
}

// SDL is the text of the public schema.
func SDL() string { return schema().Query.Position.Src.Input }

func schema() *ast.Schema { return gen.NewExecutableSchema(gen.Config{}).Schema() }

func schemaHash() string {
	sum := sha256.Sum256([]byte(SDL()))
	return hex.EncodeToString(sum[:])
}

// enter counts a request in; ok is false when the server is draining.
func (s *Server) enter() (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return nil, false
	}
	s.live.Add(1)
	return s.live.Done, true
}

// Drain takes no new operation, completes subscriptions, and waits for what
// runs. When ctx ends first it cuts that off and returns ctx's error. A server
// that was drained stays so.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	s.softEnd(errStopping)
	idle := make(chan struct{})
	go func() { // ends when the last request does
		defer close(idle)
		s.live.Wait()
	}()
	defer s.vigil.end()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	s.hardEnd(errStopping)
	<-idle
	return ctx.Err()
}

// until makes a context that also ends with another, and with the same cause.
// Call stop when it is not needed any more.
func until(ctx, other context.Context) (both context.Context, cancel context.CancelCauseFunc, stop func()) {
	both, cancel = context.WithCancelCause(ctx)
	unhook := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
	return both, cancel, func() {
		unhook()
		cancel(nil)
	}
}

var _ http.Handler = (*Server)(nil)
