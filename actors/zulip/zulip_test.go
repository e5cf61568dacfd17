package zulip

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
	key := map[string]dispatch.Secret{"apiKey": "gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv"}
	return exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"url": "` + address + `", "email": "bot@example.com"}` },
		Secrets:  key,
		Config:   func(int) string { return `{"channel": "soc"}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 200, Body: `{"result": "success", "id": 42}`},
				Rules: func(body []byte) bool {
					text := trial.InForm(body, "content")
					return text != "" && len(text) <= maxContent && trial.Fits(trial.InForm(body, "topic"), maxTopic)
				},
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "key", Status: 401, Body: `{"result": "error", "msg": "Invalid API key"}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.apiKey"},
			{Name: "channel", Status: 400, Body: `{"result": "error", "code": "STREAM_DOES_NOT_EXIST"}`, Want: dispatch.OutcomeRefused, Says: "STREAM_DOES_NOT_EXIST"},
			{Name: "limited", Status: 429, Body: `{"code": "RATE_LIMIT_HIT", "retry-after": 28.5}`, Want: dispatch.OutcomeDeferred, Wait: 28500 * time.Millisecond},
		},
		Refused: []exam.Refusal{
			{Name: "no server", Settings: `{"email": "bot@example.com"}`, Secrets: key, Field: "settings.url"},
			{Name: "server", Settings: `{"url": "zulip", "email": "bot@example.com"}`, Secrets: key, Field: "settings.url"},
			{Name: "no bot", Settings: `{"url": "https://zulip.example.com"}`, Secrets: key, Field: "settings.email"},
			{Name: "no key", Settings: `{"url": "https://zulip.example.com", "email": "bot@example.com"}`, Field: "secrets.apiKey"},
			{Name: "key", Settings: `{"url": "https://zulip.example.com", "email": "bot@example.com"}`, Secrets: map[string]dispatch.Secret{"apiKey": "two words"}, Field: "secrets.apiKey"},
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
	parcel.Settings = &ConfigSettings{Channel: "soc", Topic: strings.Repeat("@all ", 20), Text: "@**all** #**general** **b** [x](https://evil.example.com)"}
	if out := s.Messenger.Deliver(t.Context(), parcel); out.Kind() != dispatch.OutcomeDelivered || !out.Ref().Loose {
		t.Fatalf("%s %v %+v", out.Kind(), out.Err(), out.Ref())
	}
	trial.Compare(t, "testdata/hostile.json", (*s.Sent)[0])
}

// TestTest asks who the bot is and sends nothing.
func TestTest(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, exam.Answer{Status: 200, Body: `{"result": "success"}`})
	out := s.Messenger.(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || (*s.Sent)[0].Method != http.MethodGet || (*s.Sent)[0].Headers["Authorization"] == "" {
		t.Errorf("%s %v %+v", out.Kind(), out.Err(), *s.Sent)
	}
}
