package teams

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
			secrets["url"] = dispatch.Secret(address + "/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke?api-version=2016-06-01&sig=s1gnature-of-the-w0rkflow")
			return `{}`
		},
		Secrets: secrets,
		Config:  func(int) string { return `{}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 202, Body: ``},
				Rules:  func(body []byte) bool { return len(body) <= maxBody },
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "workflow deleted", Status: 404, Body: `{"error": {"code": "WorkflowNotFound"}}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.url"},
			{Name: "signature", Status: 401, Body: ``, Want: dispatch.OutcomeMisconfigured, Says: "secrets.url"},
			{Name: "gone", Status: 410, Body: ``, Want: dispatch.OutcomeMisconfigured, Says: "secrets.url"},
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

// TestNobodyIsCalled: what an alert says stands in runs, which know no Markdown and no mentions.
func TestNobodyIsCalled(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, p.Vendor())
	parcel := trial.Parcel(t, p, 1)
	parcel.Settings = &ConfigSettings{Text: "<at>everyone</at> **b** _i_ `c` [x](https://evil.example.com)"}
	if out := s.Messenger.Deliver(t.Context(), parcel); out.Kind() != dispatch.OutcomeDelivered || !out.Ref().Loose {
		t.Fatalf("%s %v %+v", out.Kind(), out.Err(), out.Ref())
	}
	trial.Compare(t, "testdata/hostile.json", (*s.Sent)[0])
}
