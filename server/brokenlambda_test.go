package server

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"tocsin/fake/webhook"
)

// broken fails in every way that a lambda can.
const broken = `
export default (alert) => {
	switch (alert.key) {
	case "throws": throw new Error("no such luck");
	case "spins": while (true) {}
	case "swells": { const all = []; while (true) all.push(new Array(1e5).fill(all.length)); }
	case "hangs": return [].indexOf.call({ length: 4294967295 }, 99);
	case "floods": return { ...alert, description: "x".repeat(1e6) };
	}
	alert.attributes.seen = true;
	return alert;
};
`

// TestBrokenLambdaUnderLoad: a thousand alerts through a lambda that breaks for a
// part of them: none is lost, each decision names what happened, and the books
// balance, whichever way the lambda says to go on.
func TestBrokenLambdaUnderLoad(t *testing.T) {
	hook := webhook.New(webhook.Options{})
	started(t, hook)
	raises, deadline := 1000, 500*time.Millisecond
	if raced {
		raises, deadline = 100, 3*time.Second // the detector makes workers slow
	}
	a := open(t, func(s *Serve) { s.LambdaDeadline = deadline })
	actor := a.made("createActor", "actor", map[string]any{"type": "webhook", "name": "Hook", "settings": map[string]any{"url": hook.URL()}, "secrets": map[string]any{"signingSecret": signingSecret}})
	config := a.made("createApiConfig", "apiConfig", map[string]any{"actorType": "webhook", "actorId": actor})
	for _, policy := range []string{"PASS_UNCHANGED", "STOP"} {
		lambda := a.made("createLambda", "lambda", map[string]any{"name": policy, "source": broken, "onError": policy})
		a.made("createAction", "action", map[string]any{"name": policy, "allModels": true, "apiConfigIds": []string{config}, "lambdaIds": []string{lambda}, "renotify": "ALWAYS"})
	}
	says := map[string]string{"throws": "no such luck", "spins": "took longer", "swells": "memory|took longer|died of it", "hangs": "took longer", "floods": "more than 256 KiB"}
	failing := []string{"throws", "spins", "swells", "hangs", "floods"}
	const batch = 50
	ids, broke := map[string]string{}, 0
	for from := 0; from < raises; from += batch {
		var alerts []map[string]any
		var keys []string
		for i := range batch {
			key := fmt.Sprint("user ", from+i)
			if i%10 == 0 {
				key = failing[i/10%len(failing)]
				broke++
			}
			keys = append(keys, key)
			alerts = append(alerts, map[string]any{"behaviorModel": "Model", "summary": "s", "key": key})
		}
		var data struct {
			RaiseAlerts struct{ Results []struct{ AlertID string } }
		}
		a.ask(`mutation($in: RaiseAlertsInput!) { raiseAlerts(input: $in) { results { alertId userErrors { message } } userErrors { message } } }`, map[string]any{"in": map[string]any{"alerts": alerts}}, &data)
		for i, r := range data.RaiseAlerts.Results {
			ids[r.AlertID] = keys[i]
		}
	}
	if len(ids) != raises {
		t.Fatalf("%d of %d alerts were taken in", len(ids), raises)
	}
	looked := map[string]int{}
	for id, key := range ids {
		want := says[key]
		if looked[want]++; looked[want] > 40 {
			continue // of each sort some
		}
		for _, d := range a.decisions(id) {
			verdict := map[bool]string{true: "STOPPED_BY_LAMBDA_ERROR", false: "FIRED"}[d.ActionName == "STOP" && want != ""]
			failed := ""
			if d.Lambdas[0].Error != nil {
				failed = *d.Lambdas[0].Error
			}
			if d.Verdict != verdict || !regexp.MustCompile(want).MatchString(failed) || (want == "") != (failed == "") {
				t.Errorf("%s of %s: %s, %q; want %s", d.ActionName, key, d.Verdict, failed, want)
			}
		}
	}
	a.settled(2*raises - broke)
	var data struct {
		Accounting struct {
			Promised int
			Balances bool
		}
	}
	a.ask(`{ accounting { promised balances } }`, nil, &data)
	if data.Accounting.Promised != 2*raises-broke || !data.Accounting.Balances || len(hook.Taken()) != 2*raises-broke {
		t.Errorf("accounting %+v, want %d promised; the receiver got %d", data.Accounting, 2*raises-broke, len(hook.Taken()))
	}
}
