package ntfy

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
		Settings: func(address string) string { return `{"url": "` + address + `/"}` },
		Secrets:  map[string]dispatch.Secret{"token": "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"},
		Config:   func(int) string { return `{"topic": "soc-alerts"}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 200, Body: `{"id": "sPs71M8A2T", "event": "message"}`},
				Rules: func(body []byte) bool {
					text := trial.Field(body, "message")
					return text != "" && len(text) <= maxMessage && trial.Fits(trial.Field(body, "title"), 200)
				},
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "token", Status: 401, Body: `{"code": 40101}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.token"},
			{Name: "forbidden", Status: 403, Body: `{"code": 40301}`, Want: dispatch.OutcomeMisconfigured, Says: "access control"},
		},
		Refused: []exam.Refusal{
			{Name: "no server", Settings: `{"url": null}`, Field: "settings.url"},
			{Name: "server", Settings: `{"url": "ntfy.sh"}`, Field: "settings.url"},
			{Name: "token", Settings: `{}`, Secrets: map[string]dispatch.Secret{"token": "tk_a b c d e f"}, Field: "secrets.token"},
		},
	}
}

func TestExam(t *testing.T) { exam.Sit(t, paper()) }

func TestGolden(t *testing.T) { trial.Golden(t, paper()) }

// TestEverySeverityHasAPriority within what a phone knows.
func TestEverySeverityHasAPriority(t *testing.T) {
	for _, s := range dispatch.Severities {
		if p := priorities[s]; p < 1 || p > 5 {
			t.Errorf("%s has priority %d", s, p)
		}
	}
}
