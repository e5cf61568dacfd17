package server

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/fake/webhook"
)

// TestDecidedAlike: a dry run before, the raise, and a dry run of the stored alert
// after decide alike, whatever the alert: same verdicts, clauses, changes, texts.
func TestDecidedAlike(t *testing.T) {
	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	started(t, hook)
	a := open(t, nil)
	a.withLambda(hook, "STOP")
	a.withLambda(hook, "PASS_UNCHANGED")
	sent := 0
	rapid.Check(t, func(rt *rapid.T) {
		alert := map[string]any{
			"behaviorModel": rapid.SampledFrom([]string{"One", "Two"}).Draw(rt, "model"),
			"summary":       rapid.StringN(1, 50, 200).Filter(usable).Draw(rt, "summary"),
			"key":           rapid.SampledFrom([]string{"root", "jdoe", "breaks", `"<&>`}).Draw(rt, "key"),
			"severity":      rapid.SampledFrom([]string{"LOW", "HIGH"}).Draw(rt, "severity"),
			"riskScore":     rapid.IntRange(0, 100).Draw(rt, "risk"),
			"attributes":    map[string]any{"scanner": rapid.Bool().Draw(rt, "scanner"), "n": rapid.Float64Range(-1e6, 1e6).Draw(rt, "n"), "big": 12345678901234},
		}
		before := a.dryRun(map[string]any{"alert": alert})
		raised := a.raise(alert)
		sent += raised.DeliveryCount
		got := a.decisions(raised.AlertID)
		after := a.dryRun(map[string]any{"alertId": raised.AlertID})
		if diff := cmp.Diff(before, after); diff != "" {
			rt.Errorf("before and after: %s", diff)
		}
		for i := range after {
			after[i].Requests = nil
		}
		if diff := cmp.Diff(got, after); diff != "" {
			rt.Errorf("kept and decided again: %s", diff)
		}
	})
	a.settled(sent)
}

// usable tells of a text that an alert may have.
func usable(s string) bool { return strings.TrimSpace(s) != "" && !strings.ContainsRune(s, 0) }

// TestBusyLambda: a lambda that spins in its worker does not hold up raises that
// use none.
func TestBusyLambda(t *testing.T) {
	hook := webhook.New(webhook.Options{})
	started(t, hook)
	a := open(t, func(s *Serve) { s.LambdaDeadline = 2 * time.Second })
	config := a.made("createApiConfig", "apiConfig", map[string]any{"actorType": "notification"})
	spins := a.made("createLambda", "lambda", map[string]any{"name": "Spins", "source": broken})
	model := a.made("createBehaviorModel", "behaviorModel", map[string]any{"name": "Spins"})
	a.made("createAction", "action", map[string]any{"name": "Spins", "behaviorModelIds": []string{model}, "apiConfigIds": []string{config}, "lambdaIds": []string{spins}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = a.post(t.Context(), `mutation { raiseAlert(input: {behaviorModel: "Spins", summary: "s", key: "spins"}) { alertId } }`, nil)
	}()
	raises := 0
	for open := true; open; raises++ {
		began := time.Now()
		a.raise(map[string]any{"behaviorModel": "Plain", "summary": "s"})
		if spent := time.Since(began); spent > time.Second {
			t.Errorf("a raise without a lambda took %v", spent)
		}
		select {
		case <-done:
			open = false
		default:
		}
	}
	if raises < 10 {
		t.Errorf("only %d raises went through while a lambda spun", raises)
	}
}

// TestBacktestLong: ten thousand alerts with a condition and a lambda.
func TestBacktestLong(t *testing.T) {
	if os.Getenv("TOCSIN_LONG") == "" {
		t.Skip("measures for some seconds; set TOCSIN_LONG=1 to run it")
	}
	hook := webhook.New(webhook.Options{})
	started(t, hook)
	a := open(t, nil)
	action, lambda := a.withLambda(hook, "STOP")
	a.ask(`mutation($in: UpdateActionInput!) { updateAction(input: $in) { action { id } userErrors { message } } }`, map[string]any{"in": map[string]any{"id": action, "enabled": false}}, nil)
	for from := 0; from < 10_000; from += 500 {
		var alerts []map[string]any
		for i := range 500 {
			alerts = append(alerts, map[string]any{"behaviorModel": "Model", "summary": "Sign-in", "key": []string{"root", "jdoe"}[i%2], "severity": "LOW", "attributes": map[string]any{"n": from + i}})
		}
		a.ask(`mutation($in: RaiseAlertsInput!) { raiseAlerts(input: $in) { accepted userErrors { message } } }`, map[string]any{"in": map[string]any{"alerts": alerts}}, nil)
	}
	began := time.Now()
	var data struct {
		BacktestAction struct {
			Considered  int
			NewlyFiring []struct{ Alert struct{ Key string } }
		}
	}
	a.ask(`mutation($in: BacktestActionInput!) { backtestAction(input: $in) { considered newlyFiring { alert { key } } userErrors { message } } }`,
		map[string]any{"in": map[string]any{"since": "2026-01-01T00:00:00Z", "first": 1000, "draft": map[string]any{
			"allModels": true, "condition": `alert.severity == "LOW"`, "lambdaIds": []string{lambda},
		}}}, &data)
	spent := time.Since(began)
	t.Logf("%d alerts in %v", data.BacktestAction.Considered, spent.Round(10*time.Millisecond))
	if data.BacktestAction.Considered != 10_000 || len(data.BacktestAction.NewlyFiring) != 1000 {
		t.Errorf("considered %d, listed %d", data.BacktestAction.Considered, len(data.BacktestAction.NewlyFiring))
	}
	if spent > 10*time.Second {
		t.Errorf("it took %v, and 10 s is the goal on two processors", spent)
	}
}
