package graph

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tocsin/dispatch"
)

// TestWrongTypes sends values that are not of the schema's types, in the
// document and in variables: both are refused alike, before anything runs.
func TestWrongTypes(t *testing.T) {
	s := newStage(t)
	ids := s.furnish()
	for _, c := range []struct {
		name, typ, field string // of the variable, and the field with its $v
		value            any    // as a variable
		literal          string // the same in the document
		code, reason     string
	}{
		{"an unknown field", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "nothing": "t"}, `{behaviorModel: "m", summary: "s", nothing: "t"}`, "VALIDATION_FAILED", "nothing"},
		{"a missing field", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m"}, `{behaviorModel: "m"}`, "VALIDATION_FAILED", "summary"},
		{"null for a field that must be", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": nil}, `{behaviorModel: "m", summary: null}`, "VALIDATION_FAILED", "null"},
		{"a number for a text", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": 1}, `{behaviorModel: "m", summary: 1}`, "VALIDATION_FAILED", ""},
		{"a boolean for a text", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": true}, `{behaviorModel: "m", summary: true}`, "VALIDATION_FAILED", ""},
		{"an object for a text", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": input{}}, `{behaviorModel: "m", summary: {}}`, "VALIDATION_FAILED", ""},
		{"a list for a text", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": []any{"s"}}, `{behaviorModel: "m", summary: ["s"]}`, "VALIDATION_FAILED", ""},
		{"an object for a severity", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "severity": input{"a": 1}}, `{behaviorModel: "m", summary: "s", severity: {a: 1}}`, "VALIDATION_FAILED", ""},
		{"an object for a number", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "riskScore": input{}}, `{behaviorModel: "m", summary: "s", riskScore: {}}`, "VALIDATION_FAILED", ""},
		{"an object in a list of texts", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "risks": []any{input{}}}, `{behaviorModel: "m", summary: "s", risks: [{}]}`, "VALIDATION_FAILED", ""},
		{"an object for a time", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "occurredAt": input{}}, `{behaviorModel: "m", summary: "s", occurredAt: {}}`, "", ""},
		{"an object for a boolean", "UpdateActionInput!", `updateAction(input: $v) { action { id } }`, input{"id": "x", "enabled": input{}}, `{id: "x", enabled: {}}`, "VALIDATION_FAILED", ""},
		{"an object for an id", "UpdateActionInput!", `updateAction(input: $v) { action { id } }`, input{"id": input{}}, `{id: {}}`, "VALIDATION_FAILED", ""},
		{"a text for a number", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "riskScore": "5"}, `{behaviorModel: "m", summary: "s", riskScore: "5"}`, "VALIDATION_FAILED", ""},
		{"a fraction for a number", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "riskScore": 1.5}, `{behaviorModel: "m", summary: "s", riskScore: 1.5}`, "VALIDATION_FAILED", ""},
		{"an unknown severity", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "severity": "WORST"}, `{behaviorModel: "m", summary: "s", severity: WORST}`, "VALIDATION_FAILED", ""},
		{"a severity in small letters", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "severity": "high"}, `{behaviorModel: "m", summary: "s", severity: high}`, "VALIDATION_FAILED", ""},
		{"null in a list", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "risks": []any{"a", nil}}, `{behaviorModel: "m", summary: "s", risks: ["a", null]}`, "VALIDATION_FAILED", ""},
		{"a list for an object", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, []any{}, `[]`, "VALIDATION_FAILED", ""},
		{"a text for an object", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, "x", `"x"`, "VALIDATION_FAILED", ""},
		{"null for the input", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, nil, `null`, "VALIDATION_FAILED", ""},
		{"a day for a time", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "occurredAt": "2026-01-31"}, `{behaviorModel: "m", summary: "s", occurredAt: "2026-01-31"}`, "BAD_REQUEST", "give RFC 3339 such as"},
		{"a number for a time", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "occurredAt": 1}, `{behaviorModel: "m", summary: "s", occurredAt: 1}`, "BAD_REQUEST", "a DateTime is a text such as"},
		{"a time on no calendar", "RaiseAlertInput!", `raiseAlert(input: $v) { alertId }`, input{"behaviorModel": "m", "summary": "s", "occurredAt": "2026-02-30T00:00:00Z"}, `{behaviorModel: "m", summary: "s", occurredAt: "2026-02-30T00:00:00Z"}`, "BAD_REQUEST", "give RFC 3339 such as"},
		{"a length in words", "UpdateActionInput!", `updateAction(input: $v) { action { id } }`, input{"id": ids["action"], "renotifyAfter": "1h"}, `{id: "x", renotifyAfter: "1h"}`, "BAD_REQUEST", "give ISO 8601 such as"},
		{"a length in months", "UpdateActionInput!", `updateAction(input: $v) { action { id } }`, input{"id": ids["action"], "renotifyAfter": "P1M"}, `{id: "x", renotifyAfter: "P1M"}`, "BAD_REQUEST", "no fixed length; give weeks"},
		{"a length of 300 years", "UpdateActionInput!", `updateAction(input: $v) { action { id } }`, input{"id": ids["action"], "renotifyAfter": "P110000D"}, `{id: "x", renotifyAfter: "P110000D"}`, "BAD_REQUEST", "give a shorter one"},
		{"a number beyond 32 bits", "UpdateActionInput!", `updateAction(input: $v) { action { id } }`, input{"id": "x", "expectedVersion": 99999999999}, `{id: "x", expectedVersion: 99999999999}`, "", "32 bits"},
		{"a number beyond 64 bits", "UpdateActionInput!", `updateAction(input: $v) { action { id } }`, input{"id": "x", "expectedVersion": jsonNumber("99999999999999999999999")}, `{id: "x", expectedVersion: 99999999999999999999999}`, "", ""},
		{"a boolean for an id", "UpdateActionInput!", `updateAction(input: $v) { action { id } }`, input{"id": true}, `{id: true}`, "VALIDATION_FAILED", ""},
		{"a member of another scope", "CreateApiTokenInput!", `createApiToken(input: $v) { token }`, input{"name": "n", "scopes": []any{"ROOT"}}, `{name: "n", scopes: [ROOT]}`, "VALIDATION_FAILED", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.state()
			byVariable := s.ask(dispatch.ScopeAdmin, fmt.Sprintf(`mutation($v: %s) { %s }`, c.typ, c.field), input{"v": c.value})
			written := s.ask(dispatch.ScopeAdmin, `mutation { `+strings.Replace(c.field, "$v", c.literal, 1)+` }`, nil)
			for _, answer := range []string{byVariable, written} {
				contains(t, answer, `"errors":[`, `"code":"`+c.code, c.reason, "!INTERNAL", `!"alertId":"`)
				if c.code == "" && !strings.Contains(answer, "VALIDATION_FAILED") && !strings.Contains(answer, "BAD_REQUEST") {
					t.Errorf("answered %s", answer)
				}
			}
			s.unchanged(t, before)
		})
	}
	contains(t, s.log.String(), "!ERROR")
}

// TestTypesThatFit shows what is taken although another value would be usual.
func TestTypesThatFit(t *testing.T) {
	s := newStage(t)
	for name, c := range map[string]struct {
		query     string
		variables input
		want      string
	}{
		"one for a list of one": {`query($k: [String!]) { alerts(filter: {keys: $k}) { nodes { id } } }`, input{"k": "jdoe"}, `"nodes":[]`},
		"the smallest number":   {`mutation($i: RaiseAlertInput!) { raiseAlert(input: $i) { alert { riskScore } } }`, input{"i": alert(input{"riskScore": -2147483648})}, `-2147483648`},
		"the biggest number":    {`mutation($i: RaiseAlertInput!) { raiseAlert(input: $i) { alert { riskScore } } }`, input{"i": alert(input{"riskScore": 2147483647})}, `2147483647`},
		"a time elsewhere":      {`mutation($i: RaiseAlertInput!) { raiseAlert(input: $i) { alert { occurredAt } } }`, input{"i": alert(input{"occurredAt": "2026-01-31T08:00:00.123456789+02:00"})}, `"2026-01-31T06:00:00.123Z"`},
		"a number for an id":    {`query($id: ID!) { ticket(id: $id) { id } }`, input{"id": 5}, `{"ticket":null}`},
		"many scripts":          {`mutation($i: RaiseAlertInput!) { raiseAlert(input: $i) { alert { summary } } }`, input{"i": alert(input{"summary": "Ünïcödé 🏃 警报 \u2028 إنذار"})}, "Ünïcödé 🏃 警报"},
		"variables left over":   {`query { viewer { name } }`, input{"nobody": "asks"}, `"name":"ADMIN"`},
	} {
		t.Run(name, func(t *testing.T) {
			contains(t, s.ask(dispatch.ScopeAdmin, c.query, c.variables), c.want, "!errors")
		})
	}
}

// TestLongAlert raises alerts near the limits of a request: the long one is
// refused, the other stands.
func TestLongAlert(t *testing.T) {
	s := newStage(t)
	before := s.state()
	answer := s.ask(dispatch.ScopeRaise, `mutation($a: [RaiseAlertInput!]!) { raiseAlerts(input: {alerts: $a}) { accepted rejected userErrors { code path message } } }`,
		input{"a": []any{alert(input{"description": strings.Repeat("x", 7<<20)}), alert(input{"payload": strings.Repeat("y", 900_000)})}})
	contains(t, answer, `"rejected":2`, `"code":"LIMIT_EXCEEDED","path":["input","alerts","0","description"]`, `"path":["input","alerts","1","payload"]`, "give at most")
	s.unchanged(t, before)
	response, body := s.do(s.request(http.MethodPost, "/graphql", `{"query":"`+strings.Repeat("x", 10_000_000)+`"}`, "Authorization: Bearer "+s.tokens[dispatch.ScopeRaise], "Content-Type: application/json"))
	if response.StatusCode != http.StatusRequestEntityTooLarge || len(body) > 300 {
		t.Errorf("10 MB: status %d, %.300s", response.StatusCode, body)
	}
}

// TestDisabledModel raises for a model that somebody switched off: it is stored,
// fires nothing, and says why.
func TestDisabledModel(t *testing.T) {
	s := newStage(t)
	ids := s.furnish()
	contains(t, s.ask(dispatch.ScopeConfigure, modelChange, input{"i": input{"id": ids["behaviorModel"], "enabled": false}}), `"userErrors":[]`)
	answer := s.ask(dispatch.ScopeAdmin, `mutation { raiseAlert(input: {behaviorModel: "Impossible travel", summary: "s", key: "new"}) { deliveryCount ticketId alert { summary decisions { verdict reason action { name } } } userErrors { code } } }`, nil)
	contains(t, answer, `"deliveryCount":0,"ticketId":null`, `"summary":"s"`, `"verdict":"MODEL_DISABLED"`, `"name":"Tell everybody"`, `"userErrors":[]`)
}

// TestWrongPages asks for pages that cannot be.
func TestWrongPages(t *testing.T) {
	s := newStage(t)
	ids := s.furnish()
	s.raise("a")
	lists := map[string]string{
		"behaviorModels": "", "actions": "", "apiConfigs": "", "actors": "", "alerts": "", "deliveries": "", "tickets": "", "ticketEvents": "", "notifications": "",
	}
	for list := range lists {
		for _, first := range []string{"0", "101", "-1", "-2147483648", "2147483647"} {
			answer := s.ask(dispatch.ScopeRead, fmt.Sprintf(`{ %s(first: %s) { nodes { id } } }`, list, first), nil)
			contains(t, answer, `"code":"BAD_REQUEST"`, "first is "+first+"; give a number from 1 to 100", `"`+list+`":null`)
		}
		answer := s.ask(dispatch.ScopeRead, fmt.Sprintf(`{ %s(first: 1) { edges { cursor } pageInfo { endCursor } } }`, list), nil)
		if list != "notifications" {
			lists[list] = s.text(answer, list, "edges", "0", "cursor")
		}
	}
	lists["nonsense"], lists["of no list"], lists["empty base64"] = "nonsense", "bm8AMQ", "AA"
	lists["of an unknown order"] = dispatch.Cursor("tickets", "1", "2", "3", "4")
	lists["of a number that is none"] = dispatch.Cursor("ledger", "x")
	lists["before the beginning"] = dispatch.Cursor("ledger", "-1")
	for list := range lists {
		if list == "nonsense" || strings.Contains(list, " ") {
			continue
		}
		for other, cursor := range lists {
			answer := s.ask(dispatch.ScopeRead, fmt.Sprintf(`query($c: String) { %s(after: $c) { nodes { id } } }`, list), input{"c": cursor})
			if other == list || cursor == "" {
				contains(t, answer, "!errors")
				continue
			}
			contains(t, answer, `"code":"BAD_REQUEST"`, "the cursor is not one of this list; leave it out to begin at the start", "!INTERNAL")
		}
	}
	for _, below := range []string{
		`behaviorModel(id: "` + ids["behaviorModel"] + `") { alerts(first: 0) { nodes { id } } }`, `action(id: "` + ids["action"] + `") { deliveries(first: 101) { nodes { id } } }`,
		`apiConfig(id: "` + ids["apiConfig"] + `") { deliveries(after: "x") { nodes { id } } }`, `ticket(number: 1) { alerts(first: -1) { nodes { id } } }`,
		`ticket(number: 1) { events(after: "` + lists["tickets"] + `") { nodes { id } } }`, `ticket(number: 1) { deliveries(first: 0) { nodes { id } } }`,
		`ticket { id }`, `ticket(id: "x", number: 1) { id }`, `behaviorModel { id }`,
	} {
		contains(t, s.ask(dispatch.ScopeRead, `{ `+below+` }`, nil), `"code":"BAD_REQUEST"`, "!INTERNAL")
	}
	contains(t, s.log.String(), "!ERROR")
}

// TestLedgerCursors takes a cursor from each place that gives one to each that
// takes one: all are places in one ledger.
func TestLedgerCursors(t *testing.T) {
	s := newStage(t)
	s.furnish()
	answer := s.ask(dispatch.ScopeRead, `{ ledgerCursor tickets { ledgerCursor } ticketEvents { edges { cursor node { cursor } } pageInfo { endCursor } } ticket(number: 1) { events { edges { cursor } } } }`, nil)
	for _, path := range [][]string{
		{"ledgerCursor"},
		{"tickets", "ledgerCursor"},
		{"ticketEvents", "edges", "0", "cursor"},
		{"ticketEvents", "edges", "0", "node", "cursor"},
		{"ticketEvents", "pageInfo", "endCursor"},
		{"ticket", "events", "edges", "0", "cursor"},
	} {
		cursor := input{"c": s.text(answer, path...)}
		contains(t, s.ask(dispatch.ScopeRead, `query($c: String) { ticketEvents(after: $c, direction: ASC) { nodes { id } } ticket(number: 1) { events(after: $c) { nodes { id } } } }`, cursor), "!errors")
		for _, stream := range []string{"ticketStatusChanged(after: $c) { id }", "ticketEvents(after: $c) { id }", "configurationChanged(after: $c) { cursor }", "deliveryChanged(after: $c) { cursor }", "notificationAdded(after: $c) { cursor }"} {
			e := s.events(s.tokens[dispatch.ScopeRead], `subscription($c: String) { `+stream+` }`, cursor)
			if line, err := e.lines.ReadString('\n'); err != nil || line != ": open\n" {
				t.Errorf("%s after %v: %q, %v", stream, path, line, err)
			}
			_ = e.response.Body.Close()
		}
	}
}
