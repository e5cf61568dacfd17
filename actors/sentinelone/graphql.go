package sentinelone

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"tocsin/dispatch"
)

// graphql asks the Unified Alerts API, which takes the token as a bearer's and
// tells errors with status 200. It returns what of the errors is said.
func (m *messenger) graphql(ctx context.Context, query string, variables object, data any) (string, dispatch.Outcome) {
	var answer struct {
		Data   any
		Errors []struct{ Message string }
	}
	answer.Data = data
	body := object{"query": query, "variables": variables}
	out := m.send(ctx, request{
		method: http.MethodPost, path: "/unifiedalerts/graphql", body: body, scheme: "Bearer", right: "Unified Alerts",
	}, &answer)
	if out.Kind() != dispatch.OutcomeDelivered {
		return "", out
	}
	if isBare(out) {
		return "", dispatch.Deferred(errors.New("the console answered nothing")).Over(out.Exchange())
	}
	if len(answer.Errors) > 0 {
		return m.mask.Text(dispatch.Cut(answer.Errors[0].Message, 300)), out
	}
	return "", out
}

// mutation is that by which alerts are changed. Source: its public clients.
const mutation = `mutation AlertTriggerActions($scope: ScopeSelectorInput, $filter: OrFilterSelectionInput, $actions: [TriggerActionInput!]!, $viewType: ViewType) { alertTriggerActions(scope: $scope, filter: $filter, actions: $actions, viewType: $viewType) { __typename ... on ActionsTriggered { actions { actionId success { id } skip { id } failure { id errorMessage errorType } } } ... on TriggerActionsError { errors { errorMessage } } ... on TriggerActionsScheduled { bulkActionTriggerId } } }`

// receipt is what the mutation answers: that it was taken, not that it is done.
type receipt struct {
	Result struct {
		Kind    string `json:"__typename"`
		Actions []struct {
			Success, Skip []named
			Failure       []struct{ ID, ErrorMessage, ErrorType string }
		}
		Errors []struct{ ErrorMessage string }
	} `json:"alertTriggerActions"`
}

type named struct{ ID string }

// trigger asks for one action on exactly one alert.
func (m *messenger) trigger(ctx context.Context, id, action string, payload object) dispatch.Outcome {
	if !uuidForm.MatchString(id) {
		return dispatch.Refused(fmt.Errorf("%q is not the UUID of an alert", dispatch.Cut(id, 100)))
	}
	var r receipt
	one := object{"or": []object{{"and": []object{{"fieldId": "id", "stringEqual": object{"value": id}}}}}}
	said, out := m.graphql(ctx, mutation, object{
		"scope": m.scope(), "filter": one, "viewType": "ALL", "actions": []object{{"id": action, "payload": payload}},
	}, &r)
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case said != "":
		return dispatch.Refused(errors.New("the console refused " + action + ": " + said)).Over(out.Exchange())
	}
	return m.received(r, id, action, out)
}

// scope is where the token's alerts are, as the settings say; nil for wherever.
func (m *messenger) scope() any {
	switch {
	case len(m.settings.SiteIDs) > 0:
		return object{"scopeIds": m.settings.SiteIDs, "scopeType": "SITE"}
	case len(m.settings.AccountIDs) > 0:
		return object{"scopeIds": m.settings.AccountIDs, "scopeType": "ACCOUNT"}
	default:
		return nil
	}
}

// received reads a receipt. One that was skipped is so already.
func (m *messenger) received(r receipt, id, action string, out dispatch.Outcome) dispatch.Outcome {
	refused := func(text string) dispatch.Outcome {
		return dispatch.Refused(errors.New(m.mask.Text(dispatch.Cut("the console refused "+action+": "+text, 500)))).Over(out.Exchange())
	}
	if len(r.Result.Errors) > 0 {
		return refused(r.Result.Errors[0].ErrorMessage)
	}
	if r.Result.Kind == "TriggerActionsScheduled" {
		return out
	}
	for _, a := range r.Result.Actions {
		for _, f := range a.Failure {
			if f.ErrorType == "MISSING_PERMISSION" {
				return refused(f.ErrorMessage + "; the token's role lacks the permission Unified Alerts: Manage, grant it in the console")
			}
			return refused(f.ErrorMessage)
		}
		if slices.Contains(append(a.Success, a.Skip...), named{id}) {
			return out
		}
	}
	return refused("no alert " + id + " was matched").Gone()
}
