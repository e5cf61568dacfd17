package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"tocsin/dispatch"
)

// forEverybody are the root fields that every token may ask for.
var forEverybody = []string{"Query.viewer", "Query.server"}

// byType are guarded by the types that they answer with, not by a directive.
var byType = []string{"Query.node", "Query.nodes"}

// need is the scope that a root field asks for; ok is false when it has no guard.
func need(root *ast.Definition, field *ast.FieldDefinition) (scope dispatch.Scope, ok bool) {
	name := root.Name + "." + field.Name
	switch {
	case slices.Contains(forEverybody, name):
		return "", true
	case slices.Contains(byType, name):
		return dispatch.ScopeRead, true
	}
	directive := field.Directives.ForName("scope")
	if directive == nil {
		return "", false
	}
	return dispatch.Scope(directive.Arguments.ForName("requires").Value.Raw), true
}

// literal is the smallest value of a type, as a document writes it.
func literal(schema *ast.Schema, typ *ast.Type) string {
	if typ.Elem != nil {
		return "[" + literal(schema, typ.Elem) + "]"
	}
	switch def := schema.Types[typ.NamedType]; def.Kind {
	case ast.InputObject:
		var fields []string
		for _, field := range def.Fields {
			if field.Type.NonNull && field.DefaultValue == nil {
				fields = append(fields, field.Name+": "+literal(schema, field.Type))
			}
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case ast.Enum:
		return def.EnumValues[0].Name
	default:
		if def.Name == "Boolean" {
			return "true"
		}
		if def.Name == "DateTime" {
			return `"2026-01-31T08:00:00Z"`
		}
		return `"x"`
	}
}

// document is a document that asks for a root field with as little as it takes.
func document(schema *ast.Schema, kind ast.Operation, field *ast.FieldDefinition) string {
	var args []string
	for _, arg := range field.Arguments {
		if arg.Type.NonNull && arg.DefaultValue == nil {
			args = append(args, arg.Name+": "+literal(schema, arg.Type))
		}
	}
	text := string(kind) + " { " + field.Name
	if len(args) > 0 {
		text += "(" + strings.Join(args, ", ") + ")"
	}
	if schema.Types[field.Type.Name()].IsCompositeType() {
		text += " { __typename }"
	}
	return text + " }"
}

// TestEveryScopeOnEveryField asks for each root field with each scope. A field
// that is added without a guard fails here.
func TestEveryScopeOnEveryField(t *testing.T) {
	s := newStage(t)
	schema := schema()
	asked := 0
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation} {
		for _, field := range root.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			scope, ok := need(root, field)
			if !ok {
				t.Errorf("%s.%s has no @scope", root.Name, field.Name)
				continue
			}
			text := document(schema, ast.Operation(strings.ToLower(root.Name)), field)
			for _, has := range dispatch.Scopes {
				may := scope == "" || dispatch.Caller{Scopes: []dispatch.Scope{has}}.May(scope)
				before := s.state()
				answer := s.ask(has, text, nil)
				asked++
				if forbidden := strings.Contains(answer, `"code":"FORBIDDEN"`); forbidden == may {
					t.Errorf("%s with %s: %.300s", text, has, answer)
				}
				if strings.Contains(answer, "INTERNAL") || strings.Contains(answer, "VALIDATION_FAILED") {
					t.Errorf("%s with %s: %.300s", text, has, answer)
				}
				if !may {
					contains(t, answer, fmt.Sprintf("needs a token with the scope %s; this one has %s", scope, has))
					s.unchanged(t, before)
				}
			}
		}
	}
	t.Logf("%d questions", asked)
}

// TestEveryScopeOnEverySubscription does the same for what can be followed.
func TestEveryScopeOnEverySubscription(t *testing.T) {
	s := newStage(t)
	schema := schema()
	for _, field := range schema.Subscription.Fields {
		if strings.HasPrefix(field.Name, "__") {
			continue
		}
		scope, ok := need(schema.Subscription, field)
		if !ok {
			t.Errorf("%s has no @scope", field.Name)
			continue
		}
		for _, has := range dispatch.Scopes {
			p := s.greeted(has)
			p.subscribe("a", document(schema, ast.Subscription, field), nil)
			if (dispatch.Caller{Scopes: []dispatch.Scope{has}}).May(scope) {
				p.say(`{"id":"a","type":"complete"}`)
				p.echoed()
			} else {
				p.hearsLike(`{"type":"error","id":"a"`, `"code":"FORBIDDEN"`, "needs a token with the scope "+string(scope))
			}
			_ = p.c.CloseNow()
		}
	}
}

// TestEveryTypeIsGuarded holds new types to READ, unless they are listed.
func TestEveryTypeIsGuarded(t *testing.T) {
	open := map[string]bool{"Query": true, "Mutation": true, "Subscription": true, "Viewer": true, "Server": true, "Limits": true, "UserError": true, "Payload": true}
	guards := guards(schema())
	for name, def := range schema().Types {
		if !def.IsCompositeType() || strings.HasPrefix(name, "__") || open[name] || strings.HasSuffix(name, "Payload") {
			continue
		}
		want := dispatch.ScopeRead
		if name == "ApiToken" {
			want = dispatch.ScopeAdmin
		}
		if guards[name] != want {
			t.Errorf("%s needs %q, want %q", name, guards[name], want)
		}
	}
}

// TestRaiseSeesIdsAlone raises with a token that may do nothing else, and tries
// every way to what came of it.
func TestRaiseSeesIdsAlone(t *testing.T) {
	s := newStage(t)
	ids := s.furnish()
	all := `alertId ticketId ticketNumber ticketStatus deliveryCount isRepeat alert { id summary } ticket { id title } deliveries { id actorName } userErrors { message }`
	answer := s.ask(dispatch.ScopeRaise, `mutation { raiseAlert(input: {behaviorModel: "Impossible travel", summary: "hush", key: "jdoe"}) { `+all+` } raiseAlerts(input: {alerts: [{behaviorModel: "m", summary: "hush"}]}) { accepted results { `+all+` } } }`, nil)
	contains(t, answer, "!errors", `"alertId":"alr_`, `"ticketId":"`+ids["ticket"]+`"`, `"ticketNumber":1,"ticketStatus":"OPEN"`, `"alert":null,"ticket":null,"deliveries":null`,
		`"accepted":1`, "!hush", "!two places", "!Post")
	again := s.ask(dispatch.ScopeAdmin, `mutation { raiseAlert(input: {behaviorModel: "Impossible travel", summary: "seen", key: "jdoe", severity: CRITICAL}) { `+all+` } }`, nil)
	contains(t, again, `"summary":"seen"`, `"title":"jdoe is in two places"`, `"actorName":"Post office"`)

	for noun, id := range ids {
		node := s.ask(dispatch.ScopeRaise, `query($id: ID!) { node(id: $id) { __typename id } }`, map[string]any{"id": id})
		nodes := s.ask(dispatch.ScopeRaise, `query($id: ID!) { nodes(ids: [$id]) { __typename id } }`, map[string]any{"id": id})
		for _, answer := range []string{node, nodes} {
			contains(t, answer, `"code":"FORBIDDEN"`, "!"+id, "!__typename")
		}
		read := s.ask(dispatch.ScopeRead, `query($id: ID!) { node(id: $id) { __typename id } nodes(ids: [$id, "x"]) { id } }`, map[string]any{"id": id})
		if noun == "token" {
			contains(t, read, `"code":"FORBIDDEN"`, `"node":null,"nodes":[null,null]`, `"path":["nodes",0]`)
			continue
		}
		contains(t, read, `"id":"`+id+`"`, "!errors")
	}
}

// TestKeysBelongToTokens uses one idempotency key with two tokens: neither
// learns what the other raised.
func TestKeysBelongToTokens(t *testing.T) {
	s := newStage(t)
	raise := `mutation { raiseAlert(input: {behaviorModel: "m", summary: "s", idempotencyKey: "k"}) { alertId isRepeat userErrors { code } } }`
	first := s.text(s.ask(dispatch.ScopeRaise, raise, nil), "raiseAlert", "alertId")
	other := s.ask(dispatch.ScopeAdmin, raise, nil)
	contains(t, other, `"isRepeat":false`, `"userErrors":[]`, "!"+first)
	contains(t, s.ask(dispatch.ScopeRaise, raise, nil), `"isRepeat":true`, first)
}
