package mattermost

import (
	"net/http"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/actors/internal/preset/trial"
	"tocsin/dispatch"
)

func paper() exam.Paper {
	secrets := map[string]dispatch.Secret{}
	return exam.Paper{
		Kind: Kind(),
		Settings: func(address string) string {
			secrets["url"] = dispatch.Secret(address + "/hooks/xxx-generatedkey-xxx-of-26")
			return `{}`
		},
		Secrets: secrets,
		Config:  func(int) string { return `{}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 200, Body: `ok`},
				Rules:  func(body []byte) bool { return trial.Fits(trial.Field(body, "text"), maxText) },
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "webhook deleted", Status: 400, Body: `{"id": "web.incoming_webhook.invalid.app_error", "message": "Invalid webhook"}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.url"},
			{Name: "channel", Status: 400, Body: `{"id": "web.incoming_webhook.channel.app_error", "message": "Couldn't find the channel"}`, Want: dispatch.OutcomeRefused, Says: "find the channel"},
			{Name: "forbidden", Status: 403, Body: ``, Want: dispatch.OutcomeMisconfigured, Says: "secrets.url"},
		},
		Refused: []exam.Refusal{
			{Name: "no url", Settings: `{}`, Field: "secrets.url"},
			{Name: "no web address", Settings: `{}`, Secrets: map[string]dispatch.Secret{"url": "hooks/123456"}, Field: "secrets.url"},
			{Name: "user in url", Settings: `{}`, Secrets: map[string]dispatch.Secret{"url": "https://user:passw0rd@chat.example.com/"}, Field: "secrets.url"},
		},
	}
}

func TestExam(t *testing.T) { exam.Sit(t, paper()) }

func TestGolden(t *testing.T) { trial.Golden(t, paper()) }

// TestNobodyIsCalled: what an alert says calls nobody and has no formatting.
func TestNobodyIsCalled(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, p.Vendor())
	parcel := trial.Parcel(t, p, 1)
	parcel.Settings = &ConfigSettings{Text: "@all @channel @here <users/all> **b** _i_ `c` [x](https://evil.example.com)"}
	if out := s.Messenger.Deliver(t.Context(), parcel); out.Kind() != dispatch.OutcomeDelivered || !out.Ref().Loose {
		t.Fatalf("%s %v %+v", out.Kind(), out.Err(), out.Ref())
	}
	trial.Compare(t, "testdata/hostile.json", (*s.Sent)[0])
}
