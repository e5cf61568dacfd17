package graph

import (
	"context"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
)

// typeScopes is the one place that says who may see what. A type that is not
// listed needs READ; "" needs nothing but a token. Whatever implements Payload
// needs nothing: its mutation is guarded, and what hangs below has its own type.
var typeScopes = map[string]dispatch.Scope{
	"ApiToken": dispatch.ScopeAdmin,

	"Query": "", "Mutation": "", "Subscription": "",
	"Viewer": "", "Server": "", "Limits": "", "UserError": "",
}

// guards works out the scope of every composite type of the schema.
func guards(schema *ast.Schema) map[string]dispatch.Scope {
	out := map[string]dispatch.Scope{}
	for name, def := range schema.Types {
		if !def.IsCompositeType() || strings.HasPrefix(name, "__") {
			continue
		}
		need, listed := typeScopes[name]
		if !listed && !isPayload(def) {
			need = dispatch.ScopeRead
		}
		if need != "" {
			out[name] = need
		}
	}
	return out
}

func isPayload(def *ast.Definition) bool {
	return def.Name == "Payload" || slices.Contains(def.Interfaces, "Payload")
}

// guardType lets a field of a guarded type through only to who may see it. In a
// payload it is null without a word: whoever may call the mutation may not
// always see the thing.
func (s *Server) guardType(ctx context.Context, next graphql.Resolver) (any, error) {
	fc := graphql.GetFieldContext(ctx)
	need := s.guards[fc.Field.Definition.Type.Name()]
	caller := callerOf(ctx)
	if need == "" || caller.May(need) {
		return next(ctx)
	}
	if isPayload(fc.Field.ObjectDefinition) && !fc.Field.Definition.Type.NonNull {
		return nil, nil //nolint:nilnil // null is what the schema promises here
	}
	return nil, forbidden(caller, need)
}

// requireScope is the directive @scope.
func requireScope(ctx context.Context, _ any, next graphql.Resolver, requires dispatch.Scope) (any, error) {
	if caller := callerOf(ctx); !caller.May(requires) {
		return nil, forbidden(caller, requires)
	}
	return next(ctx)
}

func forbidden(c dispatch.Caller, need dispatch.Scope) *gqlerror.Error {
	has := make([]string, len(c.Scopes))
	for i, scope := range c.Scopes {
		has[i] = string(scope)
	}
	return refuse(gen.ErrorCodeForbidden, "needs a token with the scope %s; this one has %s", need, strings.Join(has, ", "))
}
