package graph

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

// TestDescribed holds the contract to its word: whoever reads the schema in his
// tools finds a sentence on everything in it.
func TestDescribed(t *testing.T) {
	for name, directive := range schema().Directives {
		described(t, "@"+name, directive.Description)
		for _, arg := range directive.Arguments {
			described(t, "@"+name+"("+arg.Name+")", arg.Description)
		}
	}
	for name, def := range schema().Types {
		if def.BuiltIn {
			continue
		}
		described(t, name, def.Description)
		if def.Directives.ForName("oneOf") != nil {
			t.Errorf("%s is @oneOf, which the library holds only in documents, not in variables", name)
		}
		for _, value := range def.EnumValues {
			described(t, name+"."+value.Name, value.Description)
		}
		for _, field := range def.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			described(t, name+"."+field.Name, field.Description)
			for _, arg := range field.Arguments {
				described(t, name+"."+field.Name+"("+arg.Name+")", arg.Description)
			}
		}
	}
}

func described(t *testing.T, what, description string) {
	t.Helper()
	if len(strings.Fields(description)) == 0 {
		t.Errorf("%s has no description", what)
	}
}

// TestSaysItsScope holds the text of every root field to its guard, since
// introspection does not show directives.
func TestSaysItsScope(t *testing.T) {
	for _, root := range []*ast.Definition{schema().Query, schema().Mutation, schema().Subscription} {
		for _, field := range root.Fields {
			directive := field.Directives.ForName("scope")
			if directive == nil {
				continue
			}
			if want := "Scope " + directive.Arguments.ForName("requires").Value.Raw + "."; !strings.HasSuffix(strings.TrimSpace(field.Description), want) {
				t.Errorf("%s.%s: the description does not end with %q", root.Name, field.Name, want)
			}
		}
	}
}
