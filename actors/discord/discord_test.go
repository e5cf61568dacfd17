package discord

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/actors/internal/preset/trial"
	"tocsin/dispatch"
)

func paper() exam.Paper {
	secrets := map[string]dispatch.Secret{}
	return exam.Paper{
		Kind: Kind(),
		Settings: func(address string) string {
			secrets["url"] = dispatch.Secret(address + "/api/webhooks/123456789012345678/tHe-T0ken_of-the-webhook")
			return `{}`
		},
		Secrets: secrets,
		Config:  func(int) string { return `{}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 200, Body: `{"id": "1204"}`},
				Rules: func(body []byte) bool {
					text := trial.Field(body, "content")
					return trial.Fits(text, maxContent) && !strings.Contains(text, "@everyone")
				},
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "webhook deleted", Status: 404, Body: `{"message": "Unknown Webhook", "code": 10015}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.url"},
			{Name: "limited", Status: 429, Body: `{"retry_after": 1.5, "global": false}`, Want: dispatch.OutcomeDeferred, Wait: 1500 * time.Millisecond},
			{Name: "no message back", Status: 204, Want: dispatch.OutcomeDelivered},
		},
		Refused: []exam.Refusal{
			{Name: "no url", Settings: `{}`, Field: "secrets.url"},
			{Name: "no web address", Settings: `{}`, Secrets: map[string]dispatch.Secret{"url": "discord"}, Field: "secrets.url"},
		},
	}
}

func TestExam(t *testing.T) { exam.Sit(t, paper()) }

func TestGolden(t *testing.T) { trial.Golden(t, paper()) }

// TestUpdate edits the message that was made.
func TestUpdate(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, p.Vendor())
	parcel := trial.Parcel(t, p, 1)
	ref := s.Messenger.Deliver(t.Context(), parcel).Ref()
	out := s.Messenger.(dispatch.Updater).Update(t.Context(), trial.Update(parcel, ref))
	if out.Kind() != dispatch.OutcomeDelivered || ref.ID != "1204" || ref.Loose {
		t.Fatalf("%s %v after %+v", out.Kind(), out.Err(), ref)
	}
	trial.Compare(t, "testdata/update.json", (*s.Sent)[1])
	gone := trial.Open(t, p, exam.Answer{Status: 404, Body: `{"message": "Unknown Message", "code": 10008}`})
	if out := gone.Messenger.(dispatch.Updater).Update(t.Context(), trial.Update(parcel, ref)); !out.IsGone() {
		t.Errorf("deleted: %s %v", out.Kind(), out.Err())
	}
	none := trial.Open(t, p, exam.Answer{Status: 404, Body: `{"code": 10015}`})
	if out := none.Messenger.(dispatch.Updater).Update(t.Context(), trial.Update(parcel, ref)); out.IsGone() || out.Kind() != dispatch.OutcomeMisconfigured {
		t.Errorf("no webhook: %s %v", out.Kind(), out.Err())
	}
}

// TestNobodyIsCalled: what an alert says calls nobody and has no formatting.
func TestNobodyIsCalled(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, p.Vendor())
	parcel := trial.Parcel(t, p, 1)
	parcel.Settings = &ConfigSettings{Text: "@everyone <@123> **b** [x](https://evil.example.com)"}
	if out := s.Messenger.Deliver(t.Context(), parcel); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatalf("%s %v", out.Kind(), out.Err())
	}
	trial.Compare(t, "testdata/hostile.json", (*s.Sent)[0])
}

// TestTest asks for the webhook and sends nothing.
func TestTest(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, exam.Answer{Status: 200, Body: `{}`})
	out := s.Messenger.(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || (*s.Sent)[0].Method != http.MethodGet {
		t.Errorf("%s %v %+v", out.Kind(), out.Err(), *s.Sent)
	}
}
