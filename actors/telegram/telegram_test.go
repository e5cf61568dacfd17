package telegram

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
	return exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"apiUrl": "` + address + `"}` },
		Secrets:  map[string]dispatch.Secret{"botToken": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"},
		Config:   func(int) string { return `{"chat": "-1001234567890"}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 200, Body: `{"ok": true, "result": {"message_id": 42, "chat": {"id": -1001234567890}}}`},
				Rules: func(body []byte) bool {
					text := trial.Field(body, "text")
					return trial.Fits(text, maxText) && !strings.Contains(text, "<script") && !strings.Contains(text, "<b>")
				},
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "token revoked", Status: 401, Body: `{"ok": false, "description": "Unauthorized"}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.botToken"},
			{Name: "no such bot", Status: 404, Body: `{"ok": false, "description": "Not Found"}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.botToken"},
			{Name: "chat not found", Status: 400, Body: `{"ok": false, "description": "Bad Request: chat not found"}`, Want: dispatch.OutcomeRefused, Says: "chat not found"},
			{Name: "kicked", Status: 403, Body: `{"ok": false, "description": "Forbidden: bot was kicked"}`, Want: dispatch.OutcomeRefused, Says: "kicked"},
			{Name: "limited", Status: 429, Body: `{"ok": false, "parameters": {"retry_after": 35}}`, Want: dispatch.OutcomeDeferred, Wait: 35 * time.Second},
		},
		Refused: []exam.Refusal{
			{Name: "no token", Settings: `{}`, Field: "secrets.botToken"},
			{Name: "token", Settings: `{}`, Secrets: map[string]dispatch.Secret{"botToken": "AAHdqTcv/../getMe"}, Field: "secrets.botToken"},
			{Name: "address", Settings: `{"apiUrl": "ftp://x.example.com"}`, Secrets: map[string]dispatch.Secret{"botToken": "1:AAHdqTcvCH1v"}, Field: "settings.apiUrl"},
		},
	}
}

func TestExam(t *testing.T) { exam.Sit(t, paper()) }

func TestGolden(t *testing.T) { trial.Golden(t, paper()) }

// TestUpdate edits the message that was made; a repeat, which changes nothing,
// is as good as done.
func TestUpdate(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, p.Vendor())
	parcel := trial.Parcel(t, p, 1)
	ref := s.Messenger.Deliver(t.Context(), parcel).Ref()
	out := s.Messenger.(dispatch.Updater).Update(t.Context(), trial.Update(parcel, ref))
	if out.Kind() != dispatch.OutcomeDelivered || ref.ID != "-1001234567890:42" || ref.Loose {
		t.Fatalf("%s %v after %+v", out.Kind(), out.Err(), ref)
	}
	trial.Compare(t, "testdata/update.json", (*s.Sent)[1])
	for _, row := range []struct {
		says string
		want dispatch.OutcomeKind
		gone bool
	}{
		{"message is not modified: specified new message content is the same", dispatch.OutcomeDelivered, false},
		{"message to edit not found", dispatch.OutcomeRefused, true},
		{"message can't be edited", dispatch.OutcomeRefused, true},
		{"can't parse entities", dispatch.OutcomeRefused, false},
	} {
		s := trial.Open(t, p, exam.Answer{Status: 400, Body: `{"ok": false, "description": "Bad Request: ` + row.says + `"}`})
		out := s.Messenger.(dispatch.Updater).Update(t.Context(), trial.Update(parcel, ref))
		if out.Kind() != row.want || out.IsGone() != row.gone {
			t.Errorf("%s: %s gone %v", row.says, out.Kind(), out.IsGone())
		}
	}
	if out := s.Messenger.(dispatch.Updater).Update(t.Context(), trial.Update(parcel, dispatch.Ref{ID: "x"})); out.Kind() != dispatch.OutcomeRefused {
		t.Errorf("no number: %s", out.Kind())
	}
}

// TestTest asks who the bot is and sends nothing.
func TestTest(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, exam.Answer{Status: 200, Body: `{"ok": true}`})
	out := s.Messenger.(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || !strings.HasSuffix((*s.Sent)[0].Path, "/getMe") {
		t.Errorf("%s %v %+v", out.Kind(), out.Err(), *s.Sent)
	}
}
