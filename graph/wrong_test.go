package graph

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"tocsin/dispatch"
)

const (
	raiseDocument    = `mutation($i: RaiseAlertInput!) { raiseAlert(input: $i) { alertId userErrors { code path message } } }`
	modelDocument    = `mutation($i: CreateBehaviorModelInput!) { createBehaviorModel(input: $i) { behaviorModel { id } userErrors { code path message } } }`
	modelChange      = `mutation($i: UpdateBehaviorModelInput!) { updateBehaviorModel(input: $i) { behaviorModel { id } userErrors { code path message } } }`
	actionDocument   = `mutation($i: CreateActionInput!) { createAction(input: $i) { action { id } userErrors { code path message } } }`
	actionChange     = `mutation($i: UpdateActionInput!) { updateAction(input: $i) { action { id } userErrors { code path message } } }`
	configDocument   = `mutation($i: CreateApiConfigInput!) { createApiConfig(input: $i) { apiConfig { id } userErrors { code path message } } }`
	configChange     = `mutation($i: UpdateApiConfigInput!) { updateApiConfig(input: $i) { apiConfig { id } userErrors { code path message } } }`
	actorDocument    = `mutation($i: CreateActorInput!) { createActor(input: $i) { actor { id } userErrors { code path message } } }`
	actorChange      = `mutation($i: UpdateActorInput!) { updateActor(input: $i) { actor { id } userErrors { code path message } } }`
	closeDocument    = `mutation($i: TicketsInput!) { closeTickets(input: $i) { tickets { id } userErrors { code path message } } }`
	assignDocument   = `mutation($i: AssignTicketsInput!) { assignTickets(input: $i) { tickets { id } userErrors { code path message } } }`
	commentDocument  = `mutation($i: CommentOnTicketInput!) { commentOnTicket(input: $i) { tickets { id } userErrors { code path message } } }`
	tokenDocument    = `mutation($i: CreateApiTokenInput!) { createApiToken(input: $i) { token userErrors { code path message } } }`
	deleteDocument   = `mutation($i: DeleteInput!) { deleteAction(input: $i) { deletedId userErrors { code path message } } }`
	deleteActor      = `mutation($i: DeleteInput!) { deleteActor(input: $i) { deletedId usedBy { id } userErrors { code path message } } }`
	retryDocument    = `mutation($i: RetryDeliveriesInput!) { retryDeliveries(input: $i) { affected userErrors { code path message } } }`
	revokeDocument   = `mutation($i: RevokeApiTokenInput!) { revokeApiToken(input: $i) { apiToken { id } userErrors { code path message } } }`
	testDocument     = `mutation($i: TestActorInput!) { testActor(input: $i) { ok userErrors { code path message } } }`
	testConfig       = `mutation($i: TestApiConfigInput!) { testApiConfig(input: $i) { ok userErrors { code path message } } }`
	readNotification = `mutation($i: MarkNotificationsReadInput!) { markNotificationsRead(input: $i) { unreadCount userErrors { code path message } } }`
)

// input is what a mutation is given; a value that begins with $ is one of the
// ids that exist.
type input = map[string]any

func alert(more input) input {
	in := input{"behaviorModel": "m", "summary": "s"}
	maps.Copy(in, more)
	return in
}

// TestWrongInput sends what a caller can correct. The answer names field,
// reason and remedy, and nothing is changed.
func TestWrongInput(t *testing.T) {
	s := newStage(t)
	ids := s.furnish()
	contains(t, s.ask(dispatch.ScopeAdmin, raiseDocument, input{"i": alert(input{"idempotencyKey": "used"})}), `"userErrors":[]`)
	contains(t, s.ask(dispatch.ScopeAdmin, modelDocument, input{"i": input{"name": "Taken", "idempotencyKey": "used"}}), `"userErrors":[]`)
	long := strings.Repeat("x", 1_000_000)
	many := make([]any, 101)
	for i := range many {
		many[i] = dispatch.NewID(dispatch.PrefixTicket)
	}
	noTicket := dispatch.NewID(dispatch.PrefixTicket)
	for _, c := range []struct {
		name, document string
		input          input
		code, path     string
		remedy         string
	}{
		{"empty model", raiseDocument, alert(input{"behaviorModel": ""}), "REQUIRED", "behaviorModel", "behaviorModel is empty; give some text"},
		{"empty summary", raiseDocument, alert(input{"summary": " \t\n"}), "REQUIRED", "summary", "summary is empty; give some text"},
		{"1 MB of summary", raiseDocument, alert(input{"summary": long[:900_000]}), "LIMIT_EXCEEDED", "summary", "summary has 900000 characters; give at most "},
		{"1 MB of key", raiseDocument, alert(input{"key": long[:900_000]}), "LIMIT_EXCEEDED", "key", "give at most"},
		{"a NUL in the summary", raiseDocument, alert(input{"summary": "a\x00b"}), "INVALID", "summary", "holds a NUL character; take it out"},
		{"a NUL in the payload", raiseDocument, alert(input{"payload": input{"deep": []any{"a\x00b"}}}), "INVALID", "payload", "holds a NUL character; take it out"},
		{"a link that is none", raiseDocument, alert(input{"link": "javascript:alert(1)"}), "INVALID", "link", "begin it with https:// or http://"},
		{"attributes that are a list", raiseDocument, alert(input{"attributes": []any{1}}), "INVALID", "attributes", "is not a JSON object; give one such as"},
		{"attributes that are a text", raiseDocument, alert(input{"attributes": "x"}), "INVALID", "attributes", "is not a JSON object"},
		{"a time in the year 1", raiseDocument, alert(input{"occurredAt": "0001-01-01T00:00:00Z"}), "INVALID", "occurredAt", "outside the years 1970 to 9999"},
		{"a used key with another alert", raiseDocument, alert(input{"summary": "other", "idempotencyKey": "used"}), "IDEMPOTENCY_KEY_REUSED", "idempotencyKey", "came before with another input; use a new key"},
		{"a long key", raiseDocument, alert(input{"idempotencyKey": long[:10_000]}), "LIMIT_EXCEEDED", "idempotencyKey", "give at most"},

		{"a name that is taken", modelDocument, input{"name": "tAKEN"}, "ALREADY_EXISTS", "name", "choose another"},
		{"an empty name", modelDocument, input{"name": ""}, "REQUIRED", "name", "give some text"},
		{"a NUL in a name", modelDocument, input{"name": "a\x00b"}, "INVALID", "name", "take it out"},
		{"a used key with another name", modelDocument, input{"name": "Other", "idempotencyKey": "used"}, "IDEMPOTENCY_KEY_REUSED", "idempotencyKey", "use a new key"},
		{"a stale version", modelChange, input{"id": "$behaviorModel", "expectedVersion": 7, "group": "g"}, "CONFLICT", "expectedVersion", "is 7, but the present version is 1; read it again"},
		{"null for what must be there", modelChange, input{"id": "$behaviorModel", "enabled": nil}, "INVALID", "enabled", "is null, but must have a value; leave it out to keep it"},
		{"the id of another type", modelChange, input{"id": "$action", "group": "g"}, "NOT_FOUND", "id", "names no behavior model"},
		{"an id that is none", modelChange, input{"id": long[:1000], "group": "g"}, "NOT_FOUND", "id", "names no behavior model"},

		{"an action without models", actionDocument, input{"name": "a", "apiConfigIds": []any{"$apiConfig"}}, "REQUIRED", "behaviorModelIds", "name behavior models, or groups, or set allModels"},
		{"an action without API configs", actionDocument, input{"name": "a", "allModels": true, "apiConfigIds": []any{}}, "REQUIRED", "apiConfigIds", "name at least one API config"},
		{"an action with an actor for an API config", actionDocument, input{"name": "a", "allModels": true, "apiConfigIds": []any{"$actor"}}, "NOT_FOUND", "apiConfigIds.0", "names no API config"},
		{"an action with a ticket for a model", actionDocument, input{"name": "a", "behaviorModelIds": []any{"$behaviorModel", "$ticket"}, "apiConfigIds": []any{"$apiConfig"}}, "NOT_FOUND", "behaviorModelIds.1", "names no behavior model"},
		{"an API config twice", actionDocument, input{"name": "a", "allModels": true, "apiConfigIds": []any{"$apiConfig", "$apiConfig"}}, "INVALID", "apiConfigIds.1", "is there twice; name each once"},
		{"a condition that cannot be read", actionChange, input{"id": "$action", "condition": "alert.severity =="}, "INVALID", "condition", "cannot be used: line 1, column"},
		{"a condition over what is not there", actionChange, input{"id": "$action", "condition": "alert.sevrity == 'HIGH'"}, "INVALID", "condition", "did you mean severity?"},
		{"a condition that is a number", actionChange, input{"id": "$action", "condition": "1 + 1"}, "INVALID", "condition", "compare it with something"},
		{"a condition of 1 MB", actionChange, input{"id": "$action", "condition": long[:900_000]}, "LIMIT_EXCEEDED", "condition", "give at most"},
		{"an interval without its time", actionChange, input{"id": "$action", "renotify": "AFTER_INTERVAL"}, "REQUIRED", "renotifyAfter", "needs the time, such as PT1H"},
		{"an interval before now", actionChange, input{"id": "$action", "renotify": "AFTER_INTERVAL", "renotifyAfter": "-PT1H"}, "INVALID", "renotifyAfter", "give a time within them"},

		{"an unknown actor type", configDocument, input{"actorType": "fax"}, "INVALID", "actorType", "see actorTypes"},
		{"a missing actor", configDocument, input{"actorType": "post"}, "REQUIRED", "actorId", "must name an actor of that type"},
		{"an actor of another type", configDocument, input{"actorType": "board", "actorId": "$actor"}, "INVALID", "actorId", "name one of type board"},
		{"an actor that is an action", configDocument, input{"actorType": "post", "actorId": "$action"}, "NOT_FOUND", "actorId", "names no actor"},
		{"an unknown setting", configDocument, input{"actorType": "post", "actorId": "$actor", "settings": input{"txt": "x"}}, "INVALID", "settings.txt", "leave it out"},
		{"a setting of another type", configDocument, input{"actorType": "post", "actorId": "$actor", "settings": input{"text": 1}}, "INVALID", "settings.text", "give a text"},
		{"settings that are a list", configDocument, input{"actorType": "post", "actorId": "$actor", "settings": []any{}}, "INVALID", "settings", "give one such as"},
		{"a template that cannot be read", configDocument, input{"actorType": "post", "actorId": "$actor", "settings": input{"text": "{{.Alert.Summary"}}, "INVALID", "settings.text", "unclosed action"},
		{"a template over what is not there", configDocument, input{"actorType": "post", "actorId": "$actor", "settings": input{"text": "{{.Alert.Nothing}}"}}, "INVALID", "settings.text", "which does not exist; there are"},
		{"itself for a fallback", configChange, input{"id": "$apiConfig", "fallbackId": "$apiConfig"}, "INVALID", "fallbackId", "choose one that does not"},
		{"a fallback that is an actor", configChange, input{"id": "$apiConfig", "fallbackId": "$actor"}, "NOT_FOUND", "fallbackId", "names no API config"},

		{"an actor of an unknown type", actorDocument, input{"type": "fax", "name": "Fax"}, "INVALID", "type", "see actorTypes"},
		{"an actor whose name is taken", actorDocument, input{"type": "post", "name": "POST OFFICE"}, "ALREADY_EXISTS", "name", "choose another"},
		{"a secret among the settings", actorDocument, input{"type": "post", "name": "p", "settings": input{"token": secret}}, "INVALID", "settings.token", "give it under secrets"},
		{"a setting among the secrets", actorDocument, input{"type": "post", "name": "p", "secrets": input{"address": secret}}, "INVALID", "secrets.address", "leave it out"},
		{"an unknown secret", actorDocument, input{"type": "post", "name": "p", "secrets": input{"password": secret}}, "INVALID", "secrets.password", "leave it out"},
		{"another address without the secrets", actorChange, input{"id": "$actor", "settings": input{"address": "https://evil.example"}}, "REQUIRED", "secrets.token", "asks for its secrets again"},
		{"an actor of a stale version", actorChange, input{"id": "$actor", "expectedVersion": 99, "name": "n"}, "CONFLICT", "expectedVersion", "read it again"},
		{"a built-in actor to delete", deleteActor, input{"id": dispatch.BuiltInActorID("board")}, "INVALID_STATE", "id", "disable it instead"},
		{"an actor in use to delete", deleteActor, input{"id": "$actor"}, "IN_USE", "id", "force"},
		{"an alert to delete", deleteDocument, input{"id": "$alert"}, "NOT_FOUND", "id", "names no such thing"},
		{"a stale version to delete", deleteDocument, input{"id": "$action", "expectedVersion": 9}, "CONFLICT", "expectedVersion", "read it again"},

		{"no tickets", closeDocument, input{"tickets": []any{}}, "REQUIRED", "tickets", "name at least one"},
		{"101 tickets", assignDocument, input{"ids": many}, "LIMIT_EXCEEDED", "ids", "has 101 entries; give at most 100"},
		{"a ticket that is none", closeDocument, input{"tickets": []any{input{"id": noTicket}}}, "NOT_FOUND", "tickets.0.id", "names no ticket"},
		{"a ticket that is an alert", closeDocument, input{"tickets": []any{input{"id": "$alert"}}}, "NOT_FOUND", "tickets.0.id", "names no ticket"},
		{"a ticket of a stale version", closeDocument, input{"tickets": []any{input{"id": "$ticket", "expectedVersion": 9}}}, "CONFLICT", "tickets.0.expectedVersion", "look at it again"},
		{"a comment without text", commentDocument, input{"id": "$ticket", "text": ""}, "REQUIRED", "text", "give some text"},
		{"a comment of 1 MB", commentDocument, input{"id": "$ticket", "text": long[:900_000]}, "LIMIT_EXCEEDED", "text", "give at most"},
		{"a comment on an action", commentDocument, input{"id": "$action", "text": "t"}, "NOT_FOUND", "id", "names no ticket"},
		{"an assignee without a name", assignDocument, input{"ids": []any{"$ticket"}, "assignee": " "}, "REQUIRED", "assignee", "give some text"},
		{"nothing to retry", retryDocument, input{}, "REQUIRED", "ids", "name deliveries by one of them"},
		{"a delivery that is none", retryDocument, input{"ids": []any{"$ticket"}}, "INVALID_STATE", "ids.0", "names no delivery"},
		{"101 notifications", readNotification, input{"ids": many}, "LIMIT_EXCEEDED", "ids", "give at most 100"},
		{"a notification that is none", readNotification, input{"ids": []any{"$ticket"}}, "NOT_FOUND", "ids.0", "give ids that begin with ntf_"},

		{"a token that may nothing", tokenDocument, input{"name": "t", "scopes": []any{}}, "REQUIRED", "scopes", "give at least one scope"},
		{"a token that has ended", tokenDocument, input{"name": "t", "scopes": []any{"READ"}, "expiresAt": "2001-01-01T00:00:00Z"}, "INVALID", "expiresAt", "give a time to come"},
		{"a token that is an actor", revokeDocument, input{"id": "$actor"}, "NOT_FOUND", "id", "names no token"},
		{"nothing to test", testDocument, input{}, "REQUIRED", "id", "name a stored actor, or give a draft"},
		{"an actor to test that is a ticket", testDocument, input{"id": "$ticket"}, "NOT_FOUND", "id", "names no actor"},
		{"an alert to test with that is a ticket", testConfig, input{"id": "$apiConfig", "alertId": "$ticket"}, "NOT_FOUND", "alertId", "names no alert"},
		{"an alert to test with that is wrong", testConfig, input{"id": "$apiConfig", "alert": input{"behaviorModel": "m", "summary": ""}}, "REQUIRED", "alert.summary", "give some text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.state()
			answer := s.ask(dispatch.ScopeAdmin, c.document, input{"i": filled(c.input, ids)})
			s.unchanged(t, before)
			problem(t, answer, c.code, "input."+c.path, c.remedy)
		})
	}
	contains(t, s.log.String(), "!ERROR", "!"+secret)
}

// filled puts the ids that exist into an input.
func filled(value any, ids map[string]string) any {
	switch value := value.(type) {
	case input:
		out := input{}
		for name, item := range value {
			out[name] = filled(item, ids)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = filled(item, ids)
		}
		return out
	case string:
		if name, ok := strings.CutPrefix(value, "$"); ok {
			return ids[name]
		}
	}
	return value
}

// problem looks for a user error with that code and path, whose message names
// reason and remedy in at most a few lines, and at what must be null with it.
func problem(t *testing.T, answer, code, path, remedy string) {
	t.Helper()
	var got struct {
		Data   map[string]map[string]json.RawMessage
		Errors []any
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || len(got.Errors) > 0 || len(got.Data) != 1 {
		t.Fatalf("answered %.600s", answer)
	}
	var problems []struct {
		Code, Message string
		Path          []string
	}
	for _, payload := range got.Data {
		for field, value := range payload {
			if text := string(value); field == "userErrors" {
				if err := json.Unmarshal(value, &problems); err != nil {
					t.Fatal(err)
				}
			} else if text != "null" && text != "[]" && text != "false" && text != "0" && field != "usedBy" {
				t.Errorf("%s is %.300s", field, text)
			}
		}
	}
	for _, p := range problems {
		if len(p.Message) > 1000 || len(strings.Fields(p.Message)) < 4 || strings.Contains(p.Message, secret) {
			t.Errorf("the message %.300q", p.Message)
		}
		if p.Code == code && strings.Join(p.Path, ".") == path && strings.Contains(p.Message, remedy) {
			return
		}
	}
	t.Errorf("want %s at %s with %q, got %.900s", code, path, remedy, answer)
}
