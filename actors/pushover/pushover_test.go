package pushover

import (
	"net/http"
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/actors/internal/preset/trial"
	"tocsin/dispatch"
)

var secrets = map[string]dispatch.Secret{"token": "azGDORePK8gMaC0QOYAMyEEuzJnyUi", "user": "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"}

func paper() exam.Paper {
	return exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"apiUrl": "` + address + `"}` },
		Secrets:  secrets,
		Config:   func(int) string { return `{}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 200, Body: `{"status": 1, "request": "647d2300-702c"}`},
				Rules: func(body []byte) bool {
					return trial.Fits(trial.InForm(body, "message"), maxMessage) && trial.Fits(trial.InForm(body, "title"), maxTitle)
				},
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "token", Status: 400, Body: `{"token": "invalid", "errors": ["application token is invalid"], "status": 0}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.token"},
			{Name: "user", Status: 400, Body: `{"user": "invalid", "errors": ["user key is invalid"], "status": 0}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.user"},
			{Name: "anything else", Status: 400, Body: `{"message": "cannot be blank", "status": 0}`, Want: dispatch.OutcomeRefused, Says: "cannot be blank"},
			{Name: "month is used up", Status: 429, Body: `{"status": 0}`, Want: dispatch.OutcomeDeferred},
		},
		Refused: []exam.Refusal{
			{Name: "no token", Settings: `{}`, Secrets: map[string]dispatch.Secret{"user": secrets["user"]}, Field: "secrets.token"},
			{Name: "no user", Settings: `{}`, Secrets: map[string]dispatch.Secret{"token": secrets["token"]}, Field: "secrets.user"},
			{Name: "token", Settings: `{}`, Secrets: map[string]dispatch.Secret{"token": "two words", "user": secrets["user"]}, Field: "secrets.token"},
			{Name: "user", Settings: `{}`, Secrets: map[string]dispatch.Secret{"token": secrets["token"], "user": "two words"}, Field: "secrets.user"},
			{Name: "address", Settings: `{"apiUrl": "pushover"}`, Secrets: secrets, Field: "settings.apiUrl"},
		},
	}
}

func TestExam(t *testing.T) { exam.Sit(t, paper()) }

func TestGolden(t *testing.T) { trial.Golden(t, paper()) }

// TestTest asks whether the keys are good and sends nothing.
func TestTest(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, exam.Answer{Status: 200, Body: `{"status": 1}`})
	out := s.Messenger.(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || !strings.HasSuffix((*s.Sent)[0].Path, "/1/users/validate.json") {
		t.Errorf("%s %v %+v", out.Kind(), out.Err(), *s.Sent)
	}
}
