package graph

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// TestAnswers asks for every noun and looks at what a caller gets. A part that
// begins with ! must not be in the answer.
func TestAnswers(t *testing.T) {
	s := newStage(t)
	ids := s.furnish()
	for _, c := range []struct {
		name  string
		scope dispatch.Scope
		query string
		want  []string
	}{
		{"viewer", dispatch.ScopeRead, `{ viewer { name scopes kind } }`, []string{`{"data":{"viewer":{"name":"READ","scopes":["READ"],"kind":"TOKEN"}}}`}},
		{
			"server", dispatch.ScopeRaise, `{ server { version storage startedAt schemaHash limits { maxPageSize maxComplexity maxDepth maxRequestBytes maxSubscriptionsPerConnection } } }`,
			[]string{`"version":"1.2.3"`, `"startedAt":"2023-11-14T22:13:20.123Z"`, `"schemaHash":"` + schemaHash(), `"maxPageSize":100`},
		},
		{
			"actor types", dispatch.ScopeRead, `{ actorTypes { name title builtIn needsActor defaultName defaultSettings capabilities actorSchema apiConfigSchema } }`,
			[]string{`"name":"post"`, `"defaultSettings":{"text":"{{.Alert.Summary}}"}`, `"writeOnly":true`, `"capabilities":["DELIVER"]`},
		},
		{
			"actor", dispatch.ScopeRead, `{ actor(id: "$actor") { name builtIn settings secrets { field isSet changedAt } type { name } health { status waitingDeliveries } apiConfigs { name } } }`,
			[]string{`"name":"Post office"`, `"secrets":[{"field":"token","isSet":true,"changedAt":"20`, `"waitingDeliveries":1`, `"apiConfigs":[{"name":"Post-Default"}]`, "!hunter2"},
		},
		{
			"api config", dispatch.ScopeRead, `{ apiConfig(id: "$apiConfig") { name settings actor { name } actorType { title } fallback { id } usedBy { name } health { status } deliveries { totalCount totalCountIsExact } } }`,
			[]string{`"usedBy":[{"name":"Tell everybody"}]`, `"fallback":null`, `"deliveries":{"totalCount":1,"totalCountIsExact":true}`},
		},
		{
			"action", dispatch.ScopeRead, `{ action(id: "$action") { name allModels behaviorModels { name } apiConfigs { name } lastFiredAt failedDeliveries ticketPolicy renotify renotifyAfter } }`,
			[]string{`"lastFiredAt":"20`, `"failedDeliveries":0`, `"ticketPolicy":"PER_DEDUP_KEY"`, `"renotifyAfter":null`},
		},
		{
			"models", dispatch.ScopeRead, `{ behaviorModels(text: "imposs") { totalCount nodes { name group severity actions { name } alerts { nodes { summary } } } edges { cursor } pageInfo { hasNextPage endCursor } } behaviorGroups }`,
			[]string{`"totalCount":1`, `"name":"Impossible travel"`, `"summary":"jdoe is in two places"`, `"hasNextPage":false`, `"behaviorGroups":[]`},
		},
		{
			"alert", dispatch.ScopeRead, `{ alert(id: "$alert") { summary severity risks attributes payload raisedBy { kind name actor { id } } ticket { number } decisions { actionName verdict reason problems action { id } } deliveries { status attempts { number durationMs } } } }`,
			[]string{`"raisedBy":{"kind":"TOKEN","name":"RAISE","actor":null}`, `"verdict":"FIRED"`, `"attributes":{}`, `"payload":null`, `"status":"PENDING"`, `"attempts":[]`},
		},
		{
			"ticket", dispatch.ScopeRead, `{ ticket(number: 1) { id url status alertCount links { id } alerts { nodes { key } } events { nodes { kind cursor matchesNow ticket { number } alert { summary } } } deliveries { nodes { id alert { summary } ticket { number } action { name } apiConfig { name } actor { name } } } } }`,
			[]string{`"url":"https://tocsin.example/tickets/$ticket"`, `"kind":"OPENED"`, `"links":[]`, `"actor":{"name":"Post office"}`},
		},
		{
			"tickets", dispatch.ScopeRead, `{ tickets(filter: {statuses: [OPEN], severities: [HIGH]}, orderBy: {field: SEVERITY}) { totalCount ledgerCursor nodes { title } } }`,
			[]string{`"totalCount":1`, `"title":"jdoe is in two places"`, `"ledgerCursor":"`},
		},
		{"ledger", dispatch.ScopeRead, `{ ledgerCursor ticketEvents(filter: {keys: ["jdoe"]}) { totalCount nodes { status matchesNow } } }`, []string{`"totalCount":1`, `"matchesNow":true`}},
		{"notifications", dispatch.ScopeRead, `{ notifications(unread: true) { totalCount unreadCount nodes { id } } }`, []string{`"totalCount":0,"unreadCount":0,"nodes":[]`}},
		{"accounting", dispatch.ScopeRead, `{ accounting { promised pending balances } }`, []string{`{"promised":1,"pending":1,"balances":true}`}},
		{"tokens", dispatch.ScopeAdmin, `{ apiTokens { name prefix scopes createdBy { name } revokedAt } }`, []string{`"prefix":"tocsin_`, `"createdBy":{"name":"alice"}`}},
		{
			"nodes", dispatch.ScopeAdmin, `{ nodes(ids: ["$ticket", "nonsense", "$token", "$action", "tkt_00000000-0000-7000-8000-000000000000"]) { __typename id } }`,
			[]string{`[{"__typename":"Ticket","id":"$ticket"},null,{"__typename":"ApiToken","id":"$token"},{"__typename":"Action","id":"$action"},null]`},
		},
		{"the id of another type", dispatch.ScopeRead, `{ alert(id: "$ticket") { id } ticket(id: "$alert") { id } action(id: "$actor") { id } }`, []string{`{"data":{"alert":null,"ticket":null,"action":null}}`}},
		{"introspection", dispatch.ScopeRaise, `{ __type(name: "Ticket") { fields { name } } }`, []string{`"alertCount"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fill := func(text string) string {
				for word, id := range ids {
					text = strings.ReplaceAll(text, `$`+word+`"`, id+`"`)
				}
				return text
			}
			answer := s.ask(c.scope, fill(c.query), nil)
			contains(t, answer, "!errors")
			for _, want := range c.want {
				contains(t, answer, fill(want))
			}
		})
	}
	if log := s.log.String(); strings.Contains(log, "ERROR") {
		t.Errorf("the log has errors:\n%s", log)
	}
}

// TestMutations walks a ticket and the configuration through their changes, and
// looks at what a caller is told when he is wrong.
func TestMutations(t *testing.T) {
	s := newStage(t)
	ids := s.furnish()
	for _, c := range []struct {
		name, query string
		variables   map[string]any
		want        []string
	}{
		{
			"acknowledge", `mutation($id: ID!) { acknowledgeTickets(input: {tickets: [{id: $id, expectedVersion: 1}], comment: "mine"}) { tickets { status acknowledgedBy { name } version } userErrors { code } } }`,
			map[string]any{"id": ids["ticket"]},
			[]string{`"status":"ACKNOWLEDGED"`, `"name":"ADMIN"`, `"userErrors":[]`},
		},
		{
			"a stale version", `mutation($id: ID!) { closeTickets(input: {tickets: [{id: $id, expectedVersion: 1}]}) { tickets { id } userErrors { code path } } }`,
			map[string]any{"id": ids["ticket"]},
			[]string{`"tickets":[]`, `"code":"CONFLICT"`, `"path":["input","tickets","0"`},
		},
		{"assign", `mutation($id: ID!) { assignTickets(input: {ids: [$id], assignee: "bob"}) { tickets { assignee } userErrors { code } } }`, map[string]any{"id": ids["ticket"]}, []string{`"assignee":"bob"`}},
		{"comment", `mutation($id: ID!) { commentOnTicket(input: {id: $id, text: "look"}) { tickets { events { nodes { kind text } } } userErrors { code } } }`, map[string]any{"id": ids["ticket"]}, []string{`{"kind":"COMMENTED","text":"look"}`}},
		{
			"what one field changes the next one sees", `mutation($id: ID!) { a: closeTickets(input: {tickets: [{id: $id}]}) { tickets { status deliveries { nodes { status } } } } b: retryDeliveries(input: {filter: {ticketId: $id}}) { affected deliveries { status ticket { status } } } c: reopenTickets(input: {tickets: [{id: $id}]}) { tickets { status } } }`,
			map[string]any{"id": ids["ticket"]},
			[]string{`"a":{"tickets":[{"status":"CLOSED","deliveries":{"nodes":[{"status":"CANCELED"}]}}]}`, `"b":{"affected":1,"deliveries":[{"status":"PENDING","ticket":{"status":"CLOSED"}}]}`, `"c":{"tickets":[{"status":"OPEN"}]}`},
		},
		{
			"a field left out is kept, null clears", `mutation($m: ID!) { a: updateBehaviorModel(input: {id: $m, group: "Travel", description: "d"}) { behaviorModel { group description } userErrors { message } } b: updateBehaviorModel(input: {id: $m, group: null}) { behaviorModel { group description } userErrors { message } } c: updateBehaviorModel(input: {id: $m, name: null}) { behaviorModel { id } userErrors { code path } } }`,
			map[string]any{"m": ids["behaviorModel"]},
			[]string{`"a":{"behaviorModel":{"group":"Travel","description":"d"}`, `"b":{"behaviorModel":{"group":null,"description":"d"}`, `"c":{"behaviorModel":null,"userErrors":[{"code":"INVALID","path":["input","name"]}]}`},
		},
		{"a length of time", `mutation($a: ID!, $d: Duration) { updateAction(input: {id: $a, renotify: AFTER_INTERVAL, renotifyAfter: $d}) { action { renotifyAfter } userErrors { message } } }`, map[string]any{"a": ids["action"], "d": "P1DT90M"}, []string{`"renotifyAfter":"P1DT1H30M"`}},
		{"years have no length", `mutation($a: ID!, $d: Duration) { updateAction(input: {id: $a, renotifyAfter: $d}) { action { id } } }`, map[string]any{"a": ids["action"], "d": "P1Y"}, []string{`"updateAction":null`, `BAD_REQUEST`, `no fixed length`}},
		{
			"in use", `mutation($c: ID!) { deleteApiConfig(input: {id: $c}) { deletedId usedBy { __typename ... on Action { name } } userErrors { code } } }`,
			map[string]any{"c": ids["apiConfig"]},
			[]string{`"deletedId":null`, `"usedBy":[{"__typename":"Action","name":"Tell everybody"}]`, `IN_USE`},
		},
		{"forced", `mutation($c: ID!) { deleteApiConfig(input: {id: $c, force: true}) { deletedId usedBy { id } userErrors { code } } }`, map[string]any{"c": ids["apiConfig"]}, []string{`"deletedId":"` + ids["apiConfig"], `"usedBy":[]`}},
		{
			"a secret goes in and never out", `mutation($i: UpdateActorInput!) { updateActor(input: $i) { actor { settings secrets { isSet } } userErrors { message } } }`,
			map[string]any{"i": map[string]any{"id": ids["actor"], "secrets": map[string]any{"token": "correct-horse"}}},
			[]string{`"isSet":true`, "!correct-horse"},
		},
		{"test", `mutation($a: ID!) { testActor(input: {id: $a}) { ok message attempt { number } userErrors { code } } }`, map[string]any{"a": ids["actor"]}, []string{`"ok":true`}},
		{"read notifications", `mutation { markNotificationsRead(input: {}) { unreadCount userErrors { code } } }`, nil, []string{`"unreadCount":0`}},
		{"token", `mutation { createApiToken(input: {name: "t", scopes: [READ]}) { token apiToken { name } userErrors { code } } }`, nil, []string{`"token":"tocsin_`}},
		{
			"a list of alerts stands one by one", `mutation($a: [RaiseAlertInput!]!) { raiseAlerts(input: {alerts: $a}) { accepted rejected results { alertId userErrors { path } } userErrors { code path } } }`,
			map[string]any{"a": []any{map[string]any{"behaviorModel": "m", "summary": "s"}, map[string]any{"behaviorModel": "m", "summary": " "}}},
			[]string{`"accepted":1,"rejected":1`, `"path":["input","alerts","1","summary"]`, `"code":"REQUIRED"`},
		},
		{
			"numbers keep their digits", `mutation($p: JSON) { raiseAlert(input: {behaviorModel: "m", summary: "s", payload: $p}) { alert { payload } } }`,
			map[string]any{"p": map[string]any{"big": jsonNumber("12345678901234567890.50"), "tag": "<b>"}},
			[]string{`{"payload":{"big":12345678901234567890.50,"tag":"<b>"}}`},
		},
		{
			"asked twice", `mutation { a: raiseAlert(input: {behaviorModel: "m", summary: "s", idempotencyKey: "k"}) { isRepeat } b: raiseAlert(input: {behaviorModel: "m", summary: "s", idempotencyKey: "k"}) { isRepeat } c: raiseAlert(input: {behaviorModel: "m", summary: "t", idempotencyKey: "k"}) { alertId userErrors { code path } } }`, nil,
			[]string{`"a":{"isRepeat":false}`, `"b":{"isRepeat":true}`, `"c":{"alertId":null,"userErrors":[{"code":"IDEMPOTENCY_KEY_REUSED","path":["input","idempotencyKey"]}]}`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			contains(t, s.ask(dispatch.ScopeAdmin, c.query, c.variables), c.want...)
		})
	}
	if log := s.log.String(); strings.Contains(log, "ERROR") || strings.Contains(log, "horse") {
		t.Errorf("the log has errors or secrets:\n%s", log)
	}
}

// TestFewQuestions asks for a page of alerts with all that hangs below: the
// books are asked once for each sort of thing, not once for each alert.
func TestFewQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where the window of a batch is exact
		s := newBubbleStage(t)
		s.furnish()
		for range 5 {
			s.ask(dispatch.ScopeRaise, `mutation { raiseAlert(input: {behaviorModel: "m", summary: "s"}) { alertId } }`, nil)
		}
		asked := map[string]int{}
		s.server.desk.ReadStore = countingReads{s.desk.ReadStore, &sync.Mutex{}, asked}
		answer := s.ask(dispatch.ScopeRead, `{ alerts { nodes { ticket { number } decisions { verdict } deliveries { attempts { number } } } } }`, nil)
		contains(t, answer, "!errors", `"verdict":"FIRED"`)
		want := map[string]int{"tickets": 1, "decisions": 1, "deliveries": 1, "attempts": 1}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Error("questions to the books, -want +got:", diff)
		}
	})
}
