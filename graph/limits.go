package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"

	"tocsin/graph/internal/gen"
)

// Limits of one request. `server { limits }` tells them to clients.
const (
	maxPageSize     = 100
	defaultPageSize = 50
	maxNodes        = 100
	maxCost         = 10_000
	maxDepth        = 15
	maxAliases      = 30
	maxTokens       = 3_000
	maxSameName     = 500 // uses of one name: validation compares fields of one name in pairs
	maxBody         = 1 << 20
	maxRaiseBody    = 8 << 20 // when every root field is raiseAlerts
	maxRunning      = 100     // operations on one WebSocket
	requestTime     = 30 * time.Second
)

// plainList is what a list without `first` is taken to hold.
const plainList = 5

// limits weighs every operation before it runs.
type limits struct {
	schema        *ast.Schema
	documents     documents
	introspection bool
}

// ExtensionName names the extension for the executor.
func (limits) ExtensionName() string { return "Limits" }

// Validate accepts every schema.
func (limits) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters refuses a document that would take long to parse or
// to validate. One that was validated before is not looked at again.
func (l limits) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if len(params.Query) < 2*maxSameName { // a use of a name has two bytes at least
		return nil
	}
	if _, known := l.documents.Get(ctx, params.Query); known {
		return nil
	}
	names := map[string]int{}
	text := lexer.New(&ast.Source{Input: params.Query})
	for range maxTokens {
		token, err := text.ReadToken()
		if err != nil || token.Kind == lexer.EOF {
			return nil //nolint:nilerr // the parser says what is wrong
		}
		if token.Kind != lexer.Name {
			continue
		}
		if names[token.Value]++; names[token.Value] > maxSameName {
			return refuse(gen.ErrorCodeTooComplex, "has one name more than %d times; ask for each field once", maxSameName)
		}
	}
	return refuse(gen.ErrorCodeTooComplex, "has more than %d tokens; ask in several requests, and give values in variables", maxTokens)
}

// MutateOperationContext refuses an operation that asks for too much, or whose
// variables are not of the types that they are declared with.
func (l limits) MutateOperationContext(_ context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	oc.DisableIntrospection = !l.introspection
	if err := checkVariables(l.schema, oc); err != nil {
		return err
	}
	s := scale{variables: oc.Variables, introspection: l.introspection}
	if err := s.weigh(oc.Operation.SelectionSet, 1, 1); err != nil {
		return err
	}
	if oc.Operation.Operation == ast.Subscription && len(graphql.CollectFields(oc, oc.Operation.SelectionSet, []string{"Subscription"})) != 1 {
		return refuse(gen.ErrorCodeValidationFailed, "a subscription follows one field; @skip and @include left another number")
	}
	return nil
}

// scale adds up what an operation asks for.
type scale struct {
	variables     map[string]any
	introspection bool
	cost, aliases int
}

// weigh adds a selection that is answered a number of times. It gives up at the
// first limit that is passed, so that no document makes it work for long.
func (s *scale) weigh(set ast.SelectionSet, depth, times int) *gqlerror.Error {
	if depth > maxDepth && len(set) > 0 {
		return refuse(gen.ErrorCodeTooComplex, "fields are nested deeper than %d; ask in several requests", maxDepth)
	}
	for _, selection := range set {
		var err *gqlerror.Error
		switch sel := selection.(type) {
		case *ast.Field:
			err = cmp.Or(directed(sel.Directives), s.field(sel, depth, times))
		case *ast.InlineFragment:
			err = cmp.Or(directed(sel.Directives), s.weigh(sel.SelectionSet, depth, times))
		case *ast.FragmentSpread:
			err = cmp.Or(directed(sel.Directives), s.weigh(sel.Definition.SelectionSet, depth, times))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *scale) field(f *ast.Field, depth, times int) *gqlerror.Error {
	if f.Alias != f.Name {
		s.aliases++
	}
	s.cost += times
	switch {
	case s.aliases > maxAliases:
		return refuse(gen.ErrorCodeTooComplex, "has more than %d aliases; ask in several requests", maxAliases)
	case s.cost > maxCost:
		return refuse(gen.ErrorCodeTooComplex, "costs more than %d: each field counts one, and a list multiplies what it holds by its first; ask for less", maxCost)
	case f.Name == "__typename":
		return nil
	case strings.HasPrefix(f.Name, "__") && !s.introspection:
		return refuse(gen.ErrorCodeValidationFailed, "introspection is switched off on this server; read the schema from its documentation")
	case strings.HasPrefix(f.Name, "__"):
		return nil // the rule MaxIntrospectionDepth bounds it
	}
	if err := arguments(f.Arguments); err != nil {
		return err
	}
	return s.weigh(f.SelectionSet, depth+1, times*s.multiplier(f))
}

// multiplier is how many things a field is taken to hold.
func (s *scale) multiplier(f *ast.Field) int {
	if arg := f.Definition.Arguments.ForName("first"); arg != nil {
		return s.first(f, arg)
	}
	if f.Definition.Type.Elem == nil || strings.HasSuffix(f.ObjectDefinition.Name, "Connection") {
		return 1 // what a connection holds was counted at the connection
	}
	return plainList
}

func (s *scale) first(f *ast.Field, definition *ast.ArgumentDefinition) int {
	value := definition.DefaultValue
	if arg := f.Arguments.ForName("first"); arg != nil {
		value = arg.Value
	}
	n, err := value.Value(s.variables)
	if err != nil {
		return maxPageSize
	}
	switch n := n.(type) {
	case int64:
		return min(max(int(n), 1), maxPageSize)
	case json.Number:
		if n, err := n.Int64(); err == nil {
			return min(max(int(n), 1), maxPageSize)
		}
	}
	return defaultPageSize
}

func directed(list ast.DirectiveList) *gqlerror.Error {
	for _, directive := range list {
		if err := arguments(directive.Arguments); err != nil {
			return err
		}
	}
	return nil
}

func arguments(list ast.ArgumentList) *gqlerror.Error {
	for _, arg := range list {
		if err := readable(arg.Value); err != nil {
			return err
		}
	}
	return nil
}

// readable refuses what the validator lets through in a document: a number that
// cannot be read, and an object where the type is none.
func readable(v *ast.Value) *gqlerror.Error {
	for _, child := range v.Children {
		if err := readable(child.Value); err != nil {
			return err
		}
	}
	if def := v.Definition; v.Kind == ast.ObjectValue && def != nil && def.Kind != ast.InputObject && def.Name != "JSON" {
		return refuse(gen.ErrorCodeValidationFailed, "holds an object where a %s must be; see the schema", def.Name)
	}
	if v.Kind == ast.IntValue || v.Kind == ast.FloatValue {
		if _, err := v.Value(nil); err != nil {
			return refuse(gen.ErrorCodeBadRequest, "holds a number that is too big to be read here; send it in a variable")
		}
	}
	return nil
}
