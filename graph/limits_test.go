package graph

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
)

// nested is a document whose fields are nested that deep.
func nested(depth int) string {
	field := []string{"ticket(id: \"x\") {", "alerts(first: 1) {", "nodes {", "ticket {"}
	var b strings.Builder
	b.WriteString("{ ")
	for i := range depth - 1 {
		if i == 0 {
			b.WriteString(field[0])
			continue
		}
		b.WriteString(field[1+(i-1)%3])
	}
	return b.String() + " __typename" + strings.Repeat(" }", depth)
}

// bomb is a document of fragments, each of which spreads the next one twice.
func bomb(fragments int) string {
	var b strings.Builder
	b.WriteString("{ ...F0 }")
	for i := range fragments {
		fmt.Fprintf(&b, " fragment F%d on Query { ...F%d ...F%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Query { __typename }", fragments)
	return b.String()
}

func aliases(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d: ledgerCursor", i)
	}
	return "{" + b.String() + " }"
}

// TestAttacks sends documents that ask for too much. Each is refused with a
// code that says so, in a short answer and in little time.
func TestAttacks(t *testing.T) {
	s := newStage(t)
	for _, c := range []struct {
		name, query string
		variables   map[string]any
		code        string // "" is an answer without errors
	}{
		{"one field 5,000 times", "{" + strings.Repeat(" ledgerCursor", 5_000) + " }", nil, "TOO_COMPLEX"},
		{"one field 2,900 times", "{" + strings.Repeat(" ledgerCursor", 2_900) + " }", nil, "TOO_COMPLEX"},
		{"one field 500 times", "{" + strings.Repeat(" ledgerCursor", 500) + " }", nil, ""},
		{"one letter 2,900 times", "{" + strings.Repeat(" a", 2_900) + " }", nil, "TOO_COMPLEX"},
		{"five fields 500 times each", "{" + strings.Repeat(" ledgerCursor", 500) + strings.Repeat(" behaviorGroups", 500) + strings.Repeat(" __typename", 500) + strings.Repeat(" a", 500) + strings.Repeat(" b", 500) + " }", nil, "VALIDATION_FAILED"},
		{"3,000 brackets", "{ ticket(id: " + strings.Repeat("[", 3_000), nil, "TOO_COMPLEX"},
		{"30,000 lines", "{ ledgerCursor" + strings.Repeat("\n", 30_000) + " }", nil, ""},
		{"30 aliases", aliases(30), nil, ""},
		{"31 aliases", aliases(31), nil, "TOO_COMPLEX"},
		{"aliases of a login", "{" + strings.Repeat(" a: viewer { name }", 90) + " }", nil, "TOO_COMPLEX"},
		{"15 deep", nested(15), nil, ""},
		{"16 deep", nested(16), nil, "TOO_COMPLEX"},
		{"500 deep", nested(500), nil, "TOO_COMPLEX"},
		{"900 brackets", "{ ticket(id: " + strings.Repeat("[", 900) + strings.Repeat("]", 900) + ") { id } }", nil, "VALIDATION_FAILED"},
		{"100 of 100", `{ alerts(first: 100) { nodes { ticket { alerts(first: 100) { nodes { id } } } } } }`, nil, "TOO_COMPLEX"},
		{"100 of 100 by variables", `query($n: Int) { alerts(first: $n) { nodes { ticket { alerts(first: $n) { nodes { id } } } } } }`, map[string]any{"n": 100}, "TOO_COMPLEX"},
		{"100 of 100 by a default", `query($n: Int = 100) { alerts(first: $n) { nodes { ticket { alerts(first: $n) { nodes { id } } } } } }`, nil, "TOO_COMPLEX"},
		{"100 of 100 in fragments", `{ alerts(first: 100) { ...A } } fragment A on AlertConnection { nodes { ... on Alert { ticket { ...T } } } } fragment T on Ticket { alerts(first: 100) { nodes { id } } }`, nil, "TOO_COMPLEX"},
		{"usual lists of usual lists", `{ alerts { nodes { ticket { alerts { nodes { id } } } } } }`, nil, ""},
		{"edges instead of nodes", `{ alerts(first: 100) { edges { node { ticket { alerts(first: 100) { edges { node { id } } } } } } } }`, nil, "TOO_COMPLEX"},
		{"a bomb of fragments", bomb(60), nil, "TOO_COMPLEX"},
		{"a fragment within itself", `{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }`, nil, "VALIDATION_FAILED"},
		{"500 unknown directives", "{ ledgerCursor" + strings.Repeat(" @no", 500) + " }", nil, "VALIDATION_FAILED"},
		{"500 unknown fields", "{" + unknownFields(500) + " }", nil, "VALIDATION_FAILED"},
		{"a field of 200 kB", "{ " + strings.Repeat("x", 200_000) + " }", nil, "VALIDATION_FAILED"},
		{"a variable of 200 kB", `query($` + strings.Repeat("x", 200_000) + `: Int) { ledgerCursor }`, nil, "VALIDATION_FAILED"},
		{"an input field of 200 kB", `query($f: AlertFilter) { alerts(filter: $f) { nodes { id } } }`, map[string]any{"f": map[string]any{strings.Repeat("x", 200_000): 1}}, "VALIDATION_FAILED"},
		{"an input field of 200 kB in the document", `{ alerts(filter: {` + strings.Repeat("x", 200_000) + `: 1}) { nodes { id } } }`, nil, "VALIDATION_FAILED"},
		{"a value of 200 kB", `query($f: AlertFilter) { alerts(filter: $f) { nodes { id } } }`, map[string]any{"f": map[string]any{"severities": []any{strings.Repeat("x", 200_000)}}}, "VALIDATION_FAILED"},
		{"100,000 values that are wrong", `query($f: AlertFilter) { alerts(filter: $f) { nodes { id } } }`, map[string]any{"f": map[string]any{"keys": make([]int, 100_000)}}, "VALIDATION_FAILED"},
		{"introspection in a circle", `{ __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }`, nil, "VALIDATION_FAILED"},
		{"101 ids", `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": make101()}, "BAD_REQUEST"},
		{"two fields of a subscription", `subscription { ticketEvents { id } deliveryChanged { cursor } }`, nil, "VALIDATION_FAILED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			answer := s.ask(dispatch.ScopeAdmin, c.query, c.variables)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("took %s", took)
			}
			if len(answer) > 10*1024 && c.code != "" {
				t.Errorf("the answer has %d bytes", len(answer))
			}
			checkErrors(t, answer, c.code)
		})
	}
}

func make101() []string {
	ids := make([]string, 101)
	for i := range ids {
		ids[i] = dispatch.NewID(dispatch.PrefixAlert)
	}
	return ids
}

func unknownFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " nothing%d", i)
	}
	return b.String()
}

// checkErrors looks at what every list of errors must keep to.
func checkErrors(t *testing.T, answer, code string) {
	t.Helper()
	var got struct {
		Errors []struct {
			Message    string
			Path       []any
			Extensions map[string]any
		}
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatalf("%v in %.300s", err, answer)
	}
	if code == "" && len(got.Errors) > 0 || code != "" && len(got.Errors) == 0 {
		t.Fatalf("want the code %q in %.600s", code, answer)
	}
	if len(got.Errors) > maxErrors {
		t.Errorf("%d errors", len(got.Errors))
	}
	for _, err := range got.Errors {
		if err.Extensions["code"] != code || err.Message == "" || len(err.Message) > maxErrorMessage || strings.Contains(err.Message, "Did you mean") {
			t.Errorf("want the code %q in %.600s", code, answer)
		}
	}
}

// TestNoSuggestions asks for names that are nearly right: who may not ask for
// the schema learns no name of it.
func TestNoSuggestions(t *testing.T) {
	s := newStage(t, func(o *Options) { o.Introspection = false })
	for _, query := range []string{
		`{ tickts { nodes { id } } }`, `{ tickets(frist: 1) { nodes { id } } }`, `{ tickets(filter: {statses: [OPEN]}) { nodes { id } } }`,
		`{ tickets(filter: {statuses: [OPN]}) { nodes { id } } }`, `query($f: TicketFiltr) { tickets(filter: $f) { nodes { id } } }`,
		`{ tickets { nodes { ... on Tickt { id } } } }`, `{ tickets { nodes { id @inclde(if: true) } } }`, `{ tickets { nodes { tittle } } }`,
	} {
		answer := s.ask(dispatch.ScopeRead, query, nil)
		checkErrors(t, answer, "VALIDATION_FAILED")
		contains(t, answer, "!Did you mean", "!did you mean")
	}
	answer := s.ask(dispatch.ScopeRead, `query($f: TicketFilter) { tickets(filter: $f) { nodes { id } } }`, map[string]any{"f": map[string]any{"statses": 1}})
	checkErrors(t, answer, "VALIDATION_FAILED")
	contains(t, answer, "!statuses")
}

// TestIntrospectionOff shows the switch: nothing of the schema comes out, but
// __typename, which clients need, does.
func TestIntrospectionOff(t *testing.T) {
	s := newStage(t, func(o *Options) { o.Introspection = false })
	for _, query := range []string{`{ __schema { types { name } } }`, `{ __type(name: "Ticket") { name } }`} {
		contains(t, s.ask(dispatch.ScopeAdmin, query, nil), `"errors"`, `"code":"`, "!Ticket", "!INTERNAL")
	}
	contains(t, s.ask(dispatch.ScopeRead, `{ __typename viewer { __typename } }`, nil), `{"data":{"__typename":"Query","viewer":{"__typename":"Viewer"}}}`)
	contains(t, s.log.String(), "!ERROR")
}

// TestNoEcho sends documents that go wrong near a secret: neither the answer nor
// the log repeats it.
func TestNoEcho(t *testing.T) {
	s := newStage(t)
	for _, around := range []string{
		`{type: "post", name: 1, secrets: {token: "%s"}}`, `{type: "post", name: "n", secrets: {token: "%s"}, settings: {a: 1e400}}`,
		`{type: "post", name: "n", secrets: {token: "%s"}`, `{type: "post", name: "n", secrets: {token: "%s}}`, `{type: "post", name: "%s" "%[1]s"}`,
		`{type: "post", name: {token: "%s"}}`, `["%s"]`, `"%s"`, `{"%s"}`, `{type: "post", name: "n", enabled: "%s"}`, `{type: "post", name: "n", secrets: {token: "%s", token: "b"}}`,
	} {
		answer := s.ask(dispatch.ScopeAdmin, `mutation { createActor(input: `+fmt.Sprintf(around, secret)+`) { actor { id } } }`, nil)
		contains(t, answer, `"errors":[`, "!"+secret, "!INTERNAL")
	}
	for _, in := range []any{secret, []any{secret}, input{"type": "post", "name": input{"token": secret}}, input{"type": "post", "name": "n", "enabled": secret}, input{"type": 1, "name": secret}} {
		answer := s.ask(dispatch.ScopeAdmin, `mutation($i: CreateActorInput!) { createActor(input: $i) { actor { id } } }`, input{"i": in})
		contains(t, answer, `"errors":[`, "!"+secret, "!INTERNAL")
	}
	answer := s.ask(dispatch.ScopeAdmin, `mutation($s: [Scope!]!) { createApiToken(input: {name: "n", scopes: $s}) { token } }`, input{"s": []string{secret}})
	contains(t, answer, "is not a valid Scope", "!"+secret)
	contains(t, s.log.String(), "!"+secret, "!ERROR")
}
