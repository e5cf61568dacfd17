package twilio

import (
	"net/http"
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/actors/internal/preset/trial"
	"tocsin/dispatch"
)

const sid = "AC0123456789abcdef0123456789abcdef"

func settings(address string) string {
	return `{"apiUrl": "` + address + `", "accountSid": "` + sid + `", "from": "+15017122661"}`
}

func paper() exam.Paper {
	token := map[string]dispatch.Secret{"authToken": "f00dcafef00dcafef00dcafef00dcafe"}
	return exam.Paper{
		Kind:     Kind(),
		Settings: settings,
		Secrets:  token,
		Config:   func(int) string { return `{"to": "+15558675310"}` },
		Vendor: func() http.Handler {
			return trial.Vendor{
				Answer: exam.Answer{Status: 201, Body: `{"sid": "SM1", "status": "queued"}`},
				Rules:  func(body []byte) bool { return trial.Fits(trial.InForm(body, "Body"), maxBody) },
			}
		},
		ID: func(_ *http.Request, body []byte) string { return string(body) },
		Answers: []exam.Answer{
			{Name: "token", Status: 401, Body: `{"code": 20003}`, Want: dispatch.OutcomeMisconfigured, Says: "secrets.authToken"},
			{Name: "suspended", Status: 403, Body: `{"code": 20005}`, Want: dispatch.OutcomeMisconfigured, Says: "console"},
			{Name: "number", Status: 400, Body: `{"code": 21211, "message": "The 'To' number is not valid"}`, Want: dispatch.OutcomeRefused, Says: "21211"},
		},
		Refused: []exam.Refusal{
			{Name: "no account", Settings: `{"from": "+1"}`, Secrets: token, Field: "settings.accountSid"},
			{Name: "account", Settings: `{"from": "+1", "accountSid": "AC1/../.."}`, Secrets: token, Field: "settings.accountSid"},
			{Name: "no sender", Settings: `{"accountSid": "` + sid + `"}`, Secrets: token, Field: "settings.from"},
			{Name: "no token", Settings: settings("https://api.twilio.com"), Field: "secrets.authToken"},
			{Name: "token", Settings: settings("https://api.twilio.com"), Secrets: map[string]dispatch.Secret{"authToken": "two words"}, Field: "secrets.authToken"},
			{Name: "address", Settings: settings("twilio"), Secrets: token, Field: "settings.apiUrl"},
		},
	}
}

func TestExam(t *testing.T) { exam.Sit(t, paper()) }

func TestGolden(t *testing.T) { trial.Golden(t, paper()) }

// TestMessagingService: a service is named in a field of its own, and a long
// text is cut visibly, with the address of the ticket behind it.
func TestMessagingService(t *testing.T) {
	p := paper()
	p.Settings = func(address string) string {
		return strings.Replace(settings(address), "+15017122661", "MG0123456789abcdef0123456789abcdef", 1)
	}
	s := trial.Open(t, p, p.Vendor())
	parcel := trial.Parcel(t, p, 1)
	parcel.Settings = &ConfigSettings{To: "+15558675310", Text: strings.Repeat("long ", 200)}
	if out := s.Messenger.Deliver(t.Context(), parcel); out.Kind() != dispatch.OutcomeDelivered || !out.Ref().Loose {
		t.Fatalf("%s %v %+v", out.Kind(), out.Err(), out.Ref())
	}
	trial.Compare(t, "testdata/service.json", (*s.Sent)[0])
}

// TestTest asks for the account and sends nothing.
func TestTest(t *testing.T) {
	p := paper()
	s := trial.Open(t, p, exam.Answer{Status: 200, Body: `{"status": "active"}`})
	out := s.Messenger.(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || (*s.Sent)[0].Method != http.MethodGet {
		t.Errorf("%s %v %+v", out.Kind(), out.Err(), *s.Sent)
	}
}
