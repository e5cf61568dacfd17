package pagerduty

import (
	"encoding/json"
	"strings"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	account "tocsin/fake/pagerduty"
)

// TestInstall: the subscription is for the service or the account and for what is
// understood; the new secret stands behind those that are there.
func TestInstall(t *testing.T) {
	for settings, want := range map[string]string{`"serviceId": "PSVC001"`: `{"id":"PSVC001","type":"service_reference"}`, "": `{"type":"account_reference"}`} {
		a := started(t, account.Options{APIKey: token})
		m := openedWith(t, a, settings, hookSecrets(token)).(*messenger)
		secrets, out := m.Install(t.Context(), "https://tocsin.example.com/hooks/act_1")
		if out.Kind() != dispatch.OutcomeDelivered {
			t.Fatal(out.Err())
		}
		kept := strings.Fields(string(secrets["webhookSecret"]))
		if len(kept) != 2 || kept[0] != hookSecret {
			t.Fatalf("%d secrets are kept, want the old one and the new one", len(kept))
		}
		var asked struct {
			Subscription struct {
				Filter map[string]string
				Events []string
			} `json:"webhook_subscription"`
		}
		if err := json.Unmarshal(a.Requests.All()[0].Body, &asked); err != nil {
			t.Fatal(err)
		}
		filter, _ := json.Marshal(asked.Subscription.Filter)
		if string(filter) != want || len(asked.Subscription.Events) != len(told) {
			t.Errorf("asked for %s of %v", filter, asked.Subscription.Events)
		}
	}
}

// TestInstallRefused: what is missing or wrong is named.
func TestInstallRefused(t *testing.T) {
	const address = "https://tocsin.example.com/hooks/act_1"
	for _, row := range []struct {
		name, address string
		token         dispatch.Secret
		step          fake.Step
		want          dispatch.OutcomeKind
		says          string
	}{
		{"no token", address, "", fake.Step{}, dispatch.OutcomeMisconfigured, "secrets.token"},
		{"no address", "/hooks/act_1", token, fake.Step{}, dispatch.OutcomeRefused, "public address"},
		{"other token", address, "u+another-token", fake.Step{}, dispatch.OutcomeRefused, "secrets.token"},
		{"no secret", address, token, fake.Step{Status: 200, Body: `{"webhook_subscription":{}}`}, dispatch.OutcomeRefused, "no secret"},
		{"no JSON", address, token, fake.Step{Status: 200, Body: `<html>`}, dispatch.OutcomeRefused, "no secret"},
		{"answer lost", address, token, fake.Step{Apply: true, Reset: true}, dispatch.OutcomeUncertain, ""},
		{"any 2xx", address, token, fake.Step{Status: 200, Body: `{"webhook_subscription":{"delivery_method":{"secret":"s"}}}`}, dispatch.OutcomeDelivered, ""},
	} {
		a := started(t, account.Options{APIKey: token})
		a.Play(row.step)
		_, out := opened(t, a, hookSecrets(row.token)).(dispatch.Installer).Install(t.Context(), row.address)
		if out.Kind() != row.want || (row.says != "" && !strings.Contains(out.Err().Error(), row.says)) {
			t.Errorf("%s: %v %v, want %v", row.name, out.Kind(), out.Err(), row.want)
		}
	}
}

// TestInstalledWebhooksAreTaken: what the subscription sends is authentic.
func TestInstalledWebhooksAreTaken(t *testing.T) {
	a := started(t, account.Options{APIKey: token})
	e := heardBy(t, a, token)
	hooks := a.TakeWebhooks()
	secrets, out := e.m.Install(t.Context(), "http://127.0.0.1:1/hooks/act_1")
	if out.Kind() != dispatch.OutcomeDelivered || len(hooks) != 0 {
		t.Fatal(out.Err())
	}
	a.HoldWebhooks()
	trigger(t, e.m, 1)
	e.m.settings.WebhookSecret = secrets["webhookSecret"]
	for _, w := range a.TakeWebhooks() {
		if _, reply := e.m.Receive(t.Context(), inbound(w.Header, w.Body)); reply.Status != 0 {
			t.Errorf("subscription %s: status %d", w.Subscription, reply.Status)
		}
	}
}
