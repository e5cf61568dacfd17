package gotify

import (
	"net/http"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/actors/internal/preset/trial"
	"tocsin/dispatch"
)

func paper() exam.Paper {
	return exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"url": "` + address + `"}` },
		Secrets:  map[string]dispatch.Secret{"token": "AKsjdf83kd9-fjE"},
		Config:   func(int) string { return `{}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 200, Body: `{"id": 25, "appid": 5}`},
				Rules:  func(body []byte) bool { return trial.Fits(trial.Field(body, "message"), 4000) },
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "token", Status: 401, Body: `{"error": "Unauthorized"}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.token"},
			{Name: "client's token", Status: 403, Body: `{"error": "Forbidden"}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.token"},
		},
		Refused: []exam.Refusal{
			{Name: "no server", Settings: `{}`, Secrets: map[string]dispatch.Secret{"token": "AKsjdf83kd9"}, Field: "settings.url"},
			{Name: "no token", Settings: `{"url": "https://gotify.example.com"}`, Field: "secrets.token"},
			{Name: "token", Settings: `{"url": "https://gotify.example.com"}`, Secrets: map[string]dispatch.Secret{"token": "a\r\nX-Evil: 1"}, Field: "secrets.token"},
		},
	}
}

func TestExam(t *testing.T) { exam.Sit(t, paper()) }

func TestGolden(t *testing.T) { trial.Golden(t, paper()) }

// TestEverySeverityHasAPriority of Gotify's own.
func TestEverySeverityHasAPriority(t *testing.T) {
	for _, s := range dispatch.Severities {
		if p := priorities[s]; p < 1 || p > 10 {
			t.Errorf("%s has priority %d", s, p)
		}
	}
}
