package graph

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"tocsin/dispatch"
)

// TestPlansAnswerAlike: whatever is asked, a plan answers byte for byte what the
// generated code does, or leaves it to that.
func TestPlansAnswerAlike(t *testing.T) {
	s := newStage(t)
	a := asker{r: rand.New(rand.NewPCG(1, 2)), schema: schema(), words: s.lively()}
	queries := 3_000
	if testing.Short() {
		queries = 300
	}
	planned, errors := 0, 0
	for range queries {
		document, variables := a.query()
		by, alone := s.bothWays(a.caller(), document, variables)
		if by == "" {
			if strings.HasPrefix(alone, `{"errors"`) {
				errors++
			}
			continue
		}
		planned++
		if by != alone {
			t.Fatalf("%s\n%v\nby its plan     %s\ngenerated code  %s", document, variables, by, alone)
		}
	}
	t.Logf("%d queries: %d by their plans, %d of the others with errors", queries, planned, errors)
	if planned < queries/3 || errors < queries/30 {
		t.Errorf("of %d queries %d were answered by plans and %d of the others had errors; the questions are too uniform", queries, planned, errors)
	}
}

// bothWays answers a query by its plan, "" when it has none, and by the
// generated code alone.
func (s *stage) bothWays(c dispatch.Caller, document string, variables map[string]any) (by, alone string) {
	s.t.Helper()
	ctx := withCaller(s.t.Context(), c)
	ask := func() *operation {
		ctx := graphql.StartOperationTrace(ctx)
		return s.server.prepare(ctx, &graphql.RawParams{Query: document, Variables: variables})
	}
	op := ask()
	if len(op.refused) > 0 { // neither has to answer
		return "", string(errorsOnly(op.refused...))
	}
	by = string(op.planned(ctx))
	op = ask()
	op.each(s.server.withLoaders(ctx), func(r *graphql.Response) bool {
		alone = string(op.render(r))
		return false
	})
	return by, alone
}

// lively fills the books with things of all sorts, and gives texts to ask with,
// by the type that they are of.
func (s *stage) lively() map[string][]string {
	s.t.Helper()
	ids := s.furnish()
	for i := range 12 {
		s.ask(dispatch.ScopeRaise, `mutation($i: RaiseAlertInput!) { raiseAlert(input: $i) { alertId } }`, map[string]any{"i": map[string]any{
			"behaviorModel": []string{"Impossible travel", "Odd hours", "New \"device\""}[i%3], "summary": fmt.Sprintf("line\n%d \\ \u2028 é", i),
			"key": fmt.Sprintf("user%d", i%5), "severity": dispatch.Severities[i%len(dispatch.Severities)], "description": "long",
			"attributes": map[string]any{"n": i, "deep": []any{nil, true, "x\ty"}}, "riskScore": i,
		}})
	}
	s.delivered(6)
	on := map[string]any{"t": ids["ticket"]}
	s.ask(dispatch.ScopeTickets, `mutation($t: ID!) { acknowledgeTickets(input: {tickets: [{id: $t}]}) { tickets { id } } assignTickets(input: {tickets: [{id: $t}], assignee: "alice"}) { tickets { id } } commentOnTicket(input: {ticket: {id: $t}, text: "seen"}) { tickets { id } } }`, on)
	a := s.ask(dispatch.ScopeRead, `{ tickets(first: 2) { ledgerCursor nodes { id } pageInfo { endCursor } } alerts(first: 2) { nodes { id } pageInfo { endCursor } } ticketEvents(first: 2) { nodes { id } pageInfo { endCursor } } }`, nil)
	s.ask(dispatch.ScopeTickets, `mutation($t: ID!) { closeTickets(input: {tickets: [{id: $t}]}) { tickets { id } } }`, map[string]any{"t": s.text(a, "tickets", "nodes", "1", "id")})
	words := map[string][]string{
		"String": {"travel", "Impossible travel", "alice", "user1", "", "x\ty", s.text(a, "tickets", "pageInfo", "endCursor"), s.text(a, "alerts", "pageInfo", "endCursor"), s.text(a, "tickets", "ledgerCursor")},
		"ID":     {"tkt_unknown", "", s.text(a, "tickets", "nodes", "0", "id"), s.text(a, "alerts", "nodes", "0", "id"), s.text(a, "ticketEvents", "nodes", "0", "id")},
	}
	for _, id := range ids {
		words["ID"] = append(words["ID"], id)
	}
	slices.Sort(words["ID"])
	return words
}

// delivered has some deliveries tried.
func (s *stage) delivered(n int) {
	s.t.Helper()
	s.postman.here, s.postman.door = make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(s.t.Context())
	ended := make(chan error)
	go func() { ended <- s.desk.Carry(ctx) }() // ends with ctx
	for range n {
		<-s.postman.here
		s.postman.door <- struct{}{}
	}
	stop()
	for {
		select {
		case <-s.postman.here:
		case s.postman.door <- struct{}{}:
		case err := <-ended:
			s.must(err)
			return
		}
	}
}
