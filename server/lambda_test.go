package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/fake/webhook"
)

// admins raises the severity of what administrators do, drops what scanners do,
// and breaks on demand.
const admins = `
type Alert = { key: string | null, severity: string, summary: string, attributes: Record<string, unknown> };
export default (alert: Alert, ctx): Alert | null => {
	if (alert.attributes.scanner) return null;
	if (alert.key === "breaks") throw new Error("no such luck");
	ctx.log("looked at", alert.key);
	if (ctx.config.admins.includes(alert.key)) {
		alert.severity = "CRITICAL";
		alert.attributes.team = ctx.config.team;
	}
	return alert;
};
`

// withLambda makes a receiver and an action with a condition and the lambda.
func (a api) withLambda(hook *webhook.Receiver, onError string) (action, lambda string) {
	a.t.Helper()
	actor := a.made("createActor", "actor", map[string]any{"type": "webhook", "name": "Hook " + onError, "settings": map[string]any{"url": hook.URL()}, "secrets": map[string]any{"signingSecret": signingSecret}})
	config := a.made("createApiConfig", "apiConfig", map[string]any{
		"actorType": "webhook", "actorId": actor,
		"settings": map[string]any{"contentType": "application/json", "body": `{"line": "{{if eq .Alert.Severity "CRITICAL"}}NOW {{end}}{{.Alert.Summary}}", "team": "{{.Alert.Attributes.team}}"}`},
	})
	lambda = a.made("createLambda", "lambda", map[string]any{
		"name": "Admins " + onError, "source": admins, "config": map[string]any{"admins": []string{"root"}, "team": "blue"}, "onError": onError,
		"tests": []map[string]any{
			{"name": "raises", "alert": map[string]any{"key": "root", "severity": "LOW"}, "expect": map[string]any{"severity": "CRITICAL"}},
			{"name": "drops", "alert": map[string]any{"attributes": map[string]any{"scanner": true}}, "expect": nil},
		},
	})
	action = a.made("createAction", "action", map[string]any{
		"name": "Tell " + onError, "allModels": true, "apiConfigIds": []string{config}, "lambdaIds": []string{lambda}, "ticketPolicy": "PER_ALERT",
		"condition": `alert.severity == "LOW" || alert.riskScore > 50`,
	})
	return action, lambda
}

// decided is a decision as clients read it.
type decided struct {
	ActionName, Verdict, Reason string
	Problems                    []string
	Condition                   []struct {
		Expression string
		Values     map[string]any
		Result     *bool
	}
	Lambdas []struct {
		Name       string
		Version    int
		Changed    bool
		Difference map[string]map[string]any
		Logs       []string
		Error      *string
	}
	Requests []struct {
		APIConfigName string `json:"apiConfigName"`
		Request       struct{ Body any }
		Problem       *string
	}
}

const decisionFields = `actionName verdict reason problems condition { expression values result }
	lambdas { name version changed difference logs error }`

func (a api) decisions(alert string) []decided {
	a.t.Helper()
	var data struct{ Alert struct{ Decisions []decided } }
	a.ask(`query($id: ID!) { alert(id: $id) { decisions { `+decisionFields+` } } }`, map[string]any{"id": alert}, &data)
	return data.Alert.Decisions
}

func (a api) dryRun(input map[string]any) []decided {
	a.t.Helper()
	var data struct {
		DryRun struct{ Decisions []decided }
	}
	a.ask(`mutation($in: DryRunInput!) { dryRun(input: $in) { decisions { `+decisionFields+` requests { apiConfigName request problem } } userErrors { message path } } }`,
		map[string]any{"in": input}, &data)
	return data.DryRun.Decisions
}

// settled waits until so many promises are kept.
func (a api) settled(n int) {
	a.t.Helper()
	var data struct{ Accounting struct{ Delivered int } }
	a.eventually("delivery", `{ accounting { delivered } }`, nil, &data, func() bool { return data.Accounting.Delivered == n })
}

// TestLambdas: an alert goes out as the lambda changed it, and the decision
// tells how; a dry run before says the same.
func TestLambdas(t *testing.T) {
	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	started(t, hook)
	a := open(t, nil)
	a.withLambda(hook, "PASS_UNCHANGED")
	root := map[string]any{"behaviorModel": "Model", "summary": `Sign-in of "root"`, "key": "root", "severity": "LOW"}
	before := a.dryRun(map[string]any{"alert": root})
	if len(hook.Taken()) != 0 {
		t.Error("a dry run sent something")
	}
	raised := a.raise(root)
	a.settled(1)
	body := map[string]string{}
	if err := json.Unmarshal(hook.Taken()[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"line": `NOW Sign-in of "root"`, "team": "blue"}, body); diff != "" {
		t.Error("what the receiver got:", diff)
	}
	got := a.decisions(raised.AlertID)
	if len(got) != 1 || len(before) != 1 || len(before[0].Requests) != 1 {
		t.Fatalf("%d decisions, %d before", len(got), len(before))
	}
	sent := before[0].Requests[0].Request.Body
	if diff := cmp.Diff(map[string]any{"line": `NOW Sign-in of "root"`, "team": "blue"}, sent); diff != "" || before[0].Requests[0].Problem != nil {
		t.Errorf("the dry run's request %s %v", diff, before[0].Requests[0].Problem)
	}
	before[0].Requests = nil
	if diff := cmp.Diff(before, got); diff != "" {
		t.Error("dry run and raise decide otherwise:", diff)
	}
	d := got[0]
	if d.Verdict != "FIRED" || len(d.Condition) != 2 || d.Condition[0].Values["alert.severity"] != "LOW" || d.Condition[1].Result != nil {
		t.Errorf("the clauses %+v", d.Condition)
	}
	if len(d.Lambdas) != 1 || d.Lambdas[0].Difference["severity"]["to"] != "CRITICAL" || d.Lambdas[0].Version != 1 || d.Lambdas[0].Logs[0] != "looked at root" {
		t.Errorf("the lambda's trace %+v", d.Lambdas)
	}
	if got := a.decisions(a.raise(map[string]any{"behaviorModel": "Model", "summary": "scan", "severity": "LOW", "attributes": map[string]any{"scanner": true}}).AlertID); got[0].Verdict != "DROPPED_BY_LAMBDA" {
		t.Errorf("a dropped alert: %+v", got)
	}
}

// TestBrokenLambda: one that fails is passed over, or stops, as it says; either
// way the alert is kept and the decision says what happened.
func TestBrokenLambda(t *testing.T) {
	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	started(t, hook)
	a := open(t, nil)
	a.withLambda(hook, "PASS_UNCHANGED")
	a.withLambda(hook, "STOP")
	got := a.decisions(a.raise(map[string]any{"behaviorModel": "Model", "summary": "s", "key": "breaks", "severity": "LOW"}).AlertID)
	want := map[string]string{"Tell PASS_UNCHANGED": "FIRED", "Tell STOP": "STOPPED_BY_LAMBDA_ERROR"}
	for _, d := range got {
		if d.Verdict != want[d.ActionName] || len(d.Lambdas) != 1 || d.Lambdas[0].Error == nil || !strings.Contains(*d.Lambdas[0].Error, "line 5, column") {
			t.Errorf("%s: %s, %+v", d.ActionName, d.Verdict, d.Lambdas)
		}
	}
	if len(got) != 2 || !strings.Contains(fmt.Sprint(got[0].Problems, got[1].Problems), "was passed over") {
		t.Errorf("%d decisions: %+v", len(got), got)
	}
	a.settled(1)
}

// TestLambdaIsTried: a change that does not compile, or breaks a case, is
// refused with its place, and changes nothing.
func TestLambdaIsTried(t *testing.T) {
	hook := webhook.New(webhook.Options{})
	started(t, hook)
	a := open(t, nil)
	_, lambda := a.withLambda(hook, "STOP")
	for _, row := range []struct{ source, want string }{
		{"export default (alert) => {\n  return alert +;\n}", "line 2, column"},
		{"export default (alert) => alert", `\"raises\" does not pass: alert.severity is \"LOW\", not \"CRITICAL\"`},
		{"export default (alert) => { alert.dedupKey = 'x'; return alert }", "alert.dedupKey cannot be changed"},
	} {
		_, text, err := a.post(t.Context(), `mutation($in: UpdateLambdaInput!) { updateLambda(input: $in) { lambda { id } userErrors { message path } } }`,
			map[string]any{"in": map[string]any{"id": lambda, "source": row.source}})
		if err != nil || !strings.Contains(string(text), row.want) || !strings.Contains(string(text), `"lambda":null`) {
			t.Errorf("answered %s, %v; want %s", text, err, row.want)
		}
	}
	var data struct {
		Lambda struct {
			Version int
			UsedBy  []struct{ Name string }
		}
		DeleteLambda struct{ DeletedID *string }
	}
	a.ask(`query($id: ID!) { lambda(id: $id) { version usedBy { name } } }`, map[string]any{"id": lambda}, &data)
	if data.Lambda.Version != 1 || len(data.Lambda.UsedBy) != 1 {
		t.Errorf("after refusals %+v", data.Lambda)
	}
	a.ask(`mutation($in: UpdateLambdaInput!) { updateLambda(input: $in) { lambda { version } userErrors { message } } }`,
		map[string]any{"in": map[string]any{"id": lambda, "description": "says more"}}, nil)
	a.ask(`query($id: ID!) { lambda(id: $id, version: 1) { version } }`, map[string]any{"id": lambda}, &data)
	if data.Lambda.Version != 1 {
		t.Error("the first version cannot be read any more")
	}
}

// TestBacktest: what a draft would have done otherwise, of what was raised.
func TestBacktest(t *testing.T) {
	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	started(t, hook)
	a := open(t, nil)
	action, _ := a.withLambda(hook, "STOP")
	for i := range 20 {
		a.raise(map[string]any{"behaviorModel": "Model", "summary": "s", "key": []string{"root", "jdoe"}[i%2], "severity": []string{"LOW", "HIGH"}[i/10]})
	}
	var data struct {
		BacktestAction struct {
			Considered, Unchanged                int
			NewlyFiring, NoLongerFiring, Changed []struct {
				Alert         struct{ Key string }
				Before, After decided
			}
		}
	}
	a.ask(`mutation($in: BacktestActionInput!) { backtestAction(input: $in) { considered unchanged userErrors { message }
		newlyFiring { ...c } noLongerFiring { ...c } changed { ...c } } }
		fragment c on BacktestCase { alert { key } before { `+decisionFields+` } after { `+decisionFields+` } }`,
		map[string]any{"in": map[string]any{"since": "2026-01-01T00:00:00Z", "draft": map[string]any{"id": action, "condition": `alert.severity == "HIGH" || alert.key == "root"`}}}, &data)
	b := data.BacktestAction
	if b.Considered != 20 || len(b.NewlyFiring) != 10 || len(b.NoLongerFiring) != 5 || b.Unchanged != 5 || len(b.Changed) != 0 {
		t.Errorf("considered %d, newly %d, no longer %d, unchanged %d, changed %d", b.Considered, len(b.NewlyFiring), len(b.NoLongerFiring), b.Unchanged, len(b.Changed))
	}
	if c := b.NoLongerFiring[0]; c.Alert.Key != "jdoe" || c.Before.Verdict != "FIRED" || c.After.Verdict != "CONDITION_FALSE" {
		t.Errorf("a case %+v", c)
	}
}

// TestTemplateThatFails: the alert goes out in the default words, the attempt
// tells what failed, and so does the health of the API config until a delivery
// goes well without.
func TestTemplateThatFails(t *testing.T) {
	a := open(t, nil)
	config := a.made("createApiConfig", "apiConfig", map[string]any{"actorType": "notification", "settings": map[string]any{
		"title": `{{if .Alert.Attributes.list}}{{index .Alert.Attributes.list 5}}{{else}}ours{{end}}`,
	}})
	a.made("createAction", "action", map[string]any{"name": "Tell", "allModels": true, "apiConfigIds": []string{config}})
	a.raise(map[string]any{"behaviorModel": "Model", "summary": "in plain words", "key": "a", "attributes": map[string]any{"list": []int{1}}})
	a.settled(1)
	var data struct {
		Notifications struct{ Nodes []struct{ Title string } }
		Deliveries    struct {
			Nodes []struct{ Attempts []struct{ Problems []string } }
		}
		APIConfig struct {
			Health struct {
				Status    string
				LastError string
			}
		} `json:"apiConfig"`
	}
	const query = `query($id: ID!) { notifications { nodes { title } } deliveries { nodes { attempts { problems } } } apiConfig(id: $id) { health { status lastError } } }`
	a.ask(query, map[string]any{"id": config}, &data)
	if got := data.Notifications.Nodes; len(got) != 1 || got[0].Title == "" || strings.Contains(got[0].Title, "ours") {
		t.Errorf("notifications %+v", got)
	}
	problems := data.Deliveries.Nodes[0].Attempts[0].Problems
	if len(problems) == 0 || data.APIConfig.Health.Status != "HEALTHY" || !strings.Contains(data.APIConfig.Health.LastError, problems[0]) {
		t.Errorf("the attempt's problems are %q, the health %+v", problems, data.APIConfig.Health)
	}
	a.raise(map[string]any{"behaviorModel": "Model", "summary": "in plain words", "key": "b"})
	a.settled(2)
	data.APIConfig.Health.LastError = ""
	a.ask(query, map[string]any{"id": config}, &data)
	if data.APIConfig.Health.LastError != "" {
		t.Errorf("a good delivery leaves %q", data.APIConfig.Health.LastError)
	}
}
