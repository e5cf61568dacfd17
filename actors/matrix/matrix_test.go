package matrix

import (
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/actors/internal/preset/trial"
	"tocsin/dispatch"
)

func paper() exam.Paper {
	token := map[string]dispatch.Secret{"token": "syt_dG9jc2lu_AbCdEfGhIjKlMnOp_1a2b3c"}
	return exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"homeserver": "` + address + `"}` },
		Secrets:  token,
		Config:   func(int) string { return `{"room": "!abc/d:example.com"}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 200, Body: `{"event_id": "$YUwRidLecu:example.com"}`},
				Rules: func(body []byte) bool {
					return len(body) < maxEvent-4096 && trial.Field(body, "body") != "" && !strings.Contains(trial.Field(body, "formatted_body"), "<script")
				},
			}
		},
		ID: func(r *http.Request, _ []byte) string { return path.Base(r.URL.Path) },
		Answers: []exam.Answer{
			{Name: "token", Status: 401, Body: `{"errcode": "M_UNKNOWN_TOKEN"}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.token"},
			{Name: "not in the room", Status: 403, Body: `{"errcode": "M_FORBIDDEN", "error": "not in the room"}`, Want: dispatch.OutcomeRefused, Says: "not in the room"},
			{Name: "limited", Status: 429, Body: `{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2500}`, Want: dispatch.OutcomeDeferred, Wait: 2500 * time.Millisecond},
		},
		Refused: []exam.Refusal{
			{Name: "no server", Settings: `{}`, Secrets: token, Field: "settings.homeserver"},
			{Name: "server", Settings: `{"homeserver": "example.com"}`, Secrets: token, Field: "settings.homeserver"},
			{Name: "no token", Settings: `{"homeserver": "https://matrix.example.com"}`, Field: "secrets.token"},
			{Name: "token", Settings: `{"homeserver": "https://matrix.example.com"}`, Secrets: map[string]dispatch.Secret{"token": "two words"}, Field: "secrets.token"},
		},
	}
}

func TestExam(t *testing.T) { exam.Sit(t, paper()) }

func TestGolden(t *testing.T) { trial.Golden(t, paper()) }

// TestTest asks whose token it is and sends nothing.
func TestTest(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, exam.Answer{Status: 200, Body: `{"user_id": "@tocsin:example.com"}`})
	out := s.Messenger.(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || !strings.HasSuffix((*s.Sent)[0].Path, "/account/whoami") {
		t.Errorf("%s %v %+v", out.Kind(), out.Err(), *s.Sent)
	}
}
