package googlechat

import (
	"net/http"
	"strings"
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
			secrets["url"] = dispatch.Secret(address + "/v1/spaces/AAAAAAAAAAA/messages?key=AIzaSyDexample-key-of-chat&token=t0ken-of-the-webhook%3D")
			return `{}`
		},
		Secrets: secrets,
		Config:  func(int) string { return `{}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 200, Body: `{"name": "spaces/AAAAAAAAAAA/messages/1.1"}`},
				Rules:  func(body []byte) bool { return len(body) <= maxBody && trial.Field(body, "text") != "" },
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "webhook deleted", Status: 404, Body: `{"error": {"status": "NOT_FOUND"}}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.url"},
			{Name: "key", Status: 403, Body: `{"error": {"status": "PERMISSION_DENIED"}}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.url"},
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

// TestThread: the alerts of a ticket share a thread, and a repeat is known by the
// delivery's id.
func TestThread(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, p.Vendor())
	parcel := trial.Parcel(t, p, 1)
	for _, id := range []string{"dlv_a", "dlv_b"} {
		parcel.DeliveryID = id
		if out := s.Messenger.Deliver(t.Context(), parcel); out.Kind() != dispatch.OutcomeDelivered {
			t.Fatalf("%s %v", out.Kind(), out.Err())
		}
	}
	parcel.Ticket = nil
	if out := s.Messenger.Deliver(t.Context(), parcel); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatalf("%s %v", out.Kind(), out.Err())
	}
	first, second, none := (*s.Sent)[0], (*s.Sent)[1], (*s.Sent)[2]
	for path, id := range map[string]string{first.Path: "dlv_a", second.Path: "dlv_b"} {
		if !strings.Contains(path, "requestId="+id) || !strings.Contains(path, "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD") {
			t.Errorf("%s for %s", path, id)
		}
	}
	if strings.Contains(none.Path, "messageReplyOption") {
		t.Errorf("without a ticket: %s", none.Path)
	}
}
