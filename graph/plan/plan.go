package plan

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Facts are what plans are made from.
type Facts struct {
	Schema *ast.Schema
	// Resolvers is the generated code's root of resolvers.
	Resolvers any
	// Known are the fields with a resolver that plans may use, such as
	// "Ticket.alerts". An Ahead that is not nil is called once for all parents
	// before the resolver is called for each, and lets it find its answer loaded.
	Known map[string]Ahead
	// Arguments reads the arguments of a field as the generated code does; nil
	// for a field of which it does not know how.
	Arguments func(object, field string) Arguments
	// Scalars write the schema's own scalars.
	Scalars map[string]Leaf
	// Members are the Go types of what interfaces and unions stand for.
	Members map[string]reflect.Type
	// Prepare is told, once for each plan, which fields and methods of which Go
	// types it will look at, and gives what makes the context of each answer. Of
	// the parent of a resolver that is the id of what the field is named after.
	Prepare func(Looks) func(context.Context) context.Context
	// Needs are what a caller must have to see a field.
	Needs func(field *ast.Field) []string
	// May tells whether the caller has it.
	May func(ctx context.Context, need string) bool
}

// Looks are the names of fields and methods that are looked at, by their types.
type Looks map[reflect.Type]map[string]bool

// Ahead is told all parents of a field before it is resolved.
type Ahead func(ctx context.Context, parents []reflect.Value, args map[string]any)

// Arguments makes of the values of a document what a resolver takes.
type Arguments func(ctx context.Context, raw map[string]any) (map[string]any, error)

// Leaf appends a value as JSON. It gives ErrNull when the value is null.
type Leaf func(b []byte, v reflect.Value) ([]byte, error)

// Bounds of what is remembered.
const (
	maxPlans    = 1_000
	maxSwitches = 4 // variables of @skip and @include, each of which doubles the plans
)

// Plans are the plans of the operations that were seen. They are safe for many
// goroutines.
type Plans struct {
	facts Facts

	mu    sync.RWMutex
	known map[*ast.OperationDefinition]*variants
}

// variants are the plans of one operation, by the values of its switches.
type variants struct {
	switches []string
	byValues map[string]*plan
}

// plan is one operation; without a root it is not known how to answer it.
type plan struct {
	root    *object
	size    atomic.Int64 // of the last answer
	needs   []string
	prepare func(context.Context) context.Context
}

// New makes an empty store of plans.
func New(f Facts) *Plans {
	return &Plans{facts: f, known: map[*ast.OperationDefinition]*variants{}}
}

// Query gives the data of a query between before and after; ok is false when the
// generated code is to answer. The operation must be validated, and its document one that is
// kept, since its plan is found by it.
func (p *Plans) Query(ctx context.Context, oc *graphql.OperationContext, before, after string) (answer []byte, ok bool) {
	defer func() {
		if recover() != nil { // the generated code meets it again, and says so
			answer, ok = nil, false
		}
	}()
	found := p.of(oc)
	if found.root == nil {
		return nil, false
	}
	for _, need := range found.needs {
		if !p.facts.May(ctx, need) {
			return nil, false
		}
	}
	r := &run{ctx: found.prepare(ctx), variables: oc.Variables}
	t, err := found.root.resolve(r, []reflect.Value{{}})
	if err != nil {
		return nil, false
	}
	room := found.size.Load()
	answer, err = t.write(append(make([]byte, 0, room+room/8), before...), 0)
	if err != nil {
		return nil, false
	}
	answer = append(answer, after...)
	found.size.Store(int64(len(answer)))
	return answer, true
}

// of finds the plan of an operation, or compiles it.
func (p *Plans) of(oc *graphql.OperationContext) *plan {
	p.mu.RLock()
	v := p.known[oc.Operation]
	if v != nil {
		if found := v.byValues[values(v.switches, oc.Variables)]; found != nil {
			p.mu.RUnlock()
			return found
		}
	}
	p.mu.RUnlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if v = p.known[oc.Operation]; v == nil {
		if len(p.known) >= maxPlans {
			clear(p.known)
		}
		v = &variants{switches: switches(oc), byValues: map[string]*plan{}}
		p.known[oc.Operation] = v
	}
	made := &plan{}
	if len(v.switches) <= maxSwitches {
		made = p.compile(oc)
	}
	v.byValues[values(v.switches, oc.Variables)] = made
	return made
}

// values are what the switches say.
func values(switches []string, variables map[string]any) string {
	if len(switches) == 0 || len(switches) > maxSwitches {
		return ""
	}
	var b strings.Builder
	for _, name := range switches {
		if on, _ := variables[name].(bool); on {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return b.String()
}

// switches are the variables that decide which fields are answered.
func switches(oc *graphql.OperationContext) []string {
	var names []string
	seen := map[string]bool{}
	var look func(ast.SelectionSet)
	note := func(all ast.DirectiveList) {
		for _, d := range all {
			for _, arg := range d.Arguments {
				if arg.Value.Kind == ast.Variable && !seen[arg.Value.Raw] {
					seen[arg.Value.Raw] = true
					names = append(names, arg.Value.Raw)
				}
			}
		}
	}
	look = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				note(s.Directives)
				look(s.SelectionSet)
			case *ast.InlineFragment:
				note(s.Directives)
				look(s.SelectionSet)
			case *ast.FragmentSpread:
				note(s.Directives)
			}
		}
	}
	look(oc.Operation.SelectionSet)
	for _, fragment := range oc.Doc.Fragments {
		look(fragment.SelectionSet)
	}
	return names
}

var (
	// ErrNull says that a value is null.
	ErrNull = errors.New("is null")

	errUnknown = errors.New("the plan does not know how")
	errNull    = errors.New("a null where none may be")
)
