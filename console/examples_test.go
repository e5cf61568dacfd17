package console

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
)

// TestExamples holds every tab to the public schema, its variables included.
func TestExamples(t *testing.T) {
	source, err := os.ReadFile("../schema.graphql")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: string(source)})
	if err != nil {
		t.Fatal(err)
	}
	scripts := string(examplesJS) + "\n  " + strings.ReplaceAll(string(pageJS), "${JSON.stringify(ticket)}", `"tkt_1"`)
	tabs := regexp.MustCompile("(?s)query: `([^`]*)`,(?:\n    variables: `([^`]*)`,)?\n *}").FindAllStringSubmatch(scripts, -1)
	if len(tabs) != 6 {
		t.Fatalf("found %d tabs, want 5 in examples.js and a ticket's in page.js", len(tabs))
	}
	for _, tab := range tabs {
		query, err := gqlparser.LoadQueryWithRules(schema, tab[1], nil)
		if err != nil {
			t.Errorf("%v in\n%s", err, tab[1])
			continue
		}
		variables := map[string]any{}
		if tab[2] != "" {
			if err := json.Unmarshal([]byte(tab[2]), &variables); err != nil {
				t.Errorf("%v in\n%s", err, tab[2])
			}
		}
		op := query.Operations[0]
		if _, err := validator.VariableValues(schema, op, variables); err != nil {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
}
