package webhook

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	receiver "tocsin/fake/webhook"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// seed is a private key without its public half.
const seed = "whsk_yMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMg="

var secrets = map[string]dispatch.Secret{
	"signingSecret": secret, "previousSecret": seed, "inboundSecret": inboundSecret, "headers": `{"Authorization": "Bearer s3cr3t-of-the-header", "X-Team": "soc-team"}`,
}

func TestExam(t *testing.T) {
	exam.Sit(t, exam.Paper{
		Kind:     Kind(),
		Settings: func(address string) string { return `{"url": "` + address + `/in?token=in-the-address"}` },
		Secrets:  secrets,
		Config:   func(int) string { return `{}` },
		Vendor:   func() http.Handler { return receiver.New(receiver.Options{Secrets: []string{secret}}) },
		ID:       func(r *http.Request, _ []byte) string { return r.Header.Get("webhook-id") },
		Answers: []exam.Answer{
			{Name: "no content", Status: 204, Want: dispatch.OutcomeDelivered},
			{Name: "accepted", Status: 202, Body: "queued", Want: dispatch.OutcomeDelivered},
			{Name: "gone", Status: 410, Want: dispatch.OutcomeMisconfigured, Says: "change settings.url"},
			{Name: "aborts", Status: 503, Header: map[string]string{"webhook-delivery": "abort-message", "Retry-After": "60"}, Want: dispatch.OutcomeRefused, Says: "not to send this again"},
			{Name: "aborts what it took", Status: 200, Header: map[string]string{"webhook-delivery": "abort-message"}, Want: dispatch.OutcomeDelivered},
			{Name: "says why", Status: 422, Body: "no such\r\nroute", Want: dispatch.OutcomeRefused, Says: "422 Unprocessable Entity: no such route"},
			{Name: "moved", Status: 301, Want: dispatch.OutcomeRefused, Says: "redirects are not followed"},
		},
		Refused: []exam.Refusal{
			{Name: "no url", Settings: `{}`, Field: "settings.url"},
			{Name: "no web address", Settings: `{"url": "ftp://files.example.com"}`, Field: "settings.url"},
			{Name: "no host", Settings: `{"url": "https:///x"}`, Field: "settings.url"},
			{Name: "user in url", Settings: `{"url": "https://user:passw0rd@hooks.example.com"}`, Field: "settings.url"},
			{Name: "no method", Settings: `{"url": "https://hooks.example.com", "method": null}`, Field: "settings.method"},
			{Name: "method", Settings: `{"url": "https://hooks.example.com", "method": "DELETE"}`, Field: "settings.method"},
			refusedSecret("secret without prefix", "signingSecret", strings.TrimPrefix(secret, "whsec_")),
			refusedSecret("secret too short", "signingSecret", "whsec_c2hvcnQ="),
			refusedSecret("private key too short", "signingSecret", "whsk_c2hvcnQ="),
			refusedSecret("private key with another's public key", "signingSecret", "whsk_yMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMi6O2EeKILBtqpLKuPseOoHNuOtmSODU0UBcVB6S58VtQ=="),
			refusedSecret("previous secret", "previousSecret", "whpk_l//Ig8gL7nI375XZubcD1K1j5goh5gWGdoK3W4s/QwM="),
			refusedSecret("inbound secret of another scheme", "inboundSecret", seed),
			refusedSecret("headers no object", "headers", `["X-A"]`),
			refusedSecret("host", "headers", `{"host": "internal"}`),
			refusedSecret("signature", "headers", `{"WEBHOOK-signature": "v1,mine"}`),
			refusedSecret("length", "headers", `{"content-length": "0"}`),
			refusedSecret("header name", "headers", `{"X Team": "soc"}`),
			refusedSecret("header value", "headers", `{"X-Team": "soc\r\nX-Evil: 1"}`),
		},
	})
}

func refusedSecret(name, field, value string) exam.Refusal {
	return exam.Refusal{
		Name: name, Settings: `{"url": "https://hooks.example.com"}`, Field: "secrets." + field,
		Secrets: map[string]dispatch.Secret{field: dispatch.Secret(value)},
	}
}

// TestGolden compares the whole body with testdata/request.json.
func TestGolden(t *testing.T) {
	exam.Golden(t, "testdata/request.json", sent(t, secrets, exam.Parcel(1)).Body)
	bare := exam.Parcel(2)
	bare.Ticket, bare.TicketURL, bare.Test = nil, "", true
	bare.Alert = dispatch.Alert{
		ID: bare.Alert.ID, BehaviorModel: "Impossible travel", Severity: dispatch.Low, Summary: "bare", Risks: []string{},
		OccurredAt: bare.Alert.OccurredAt, ReceivedAt: bare.Alert.ReceivedAt, Attributes: dispatch.JSON(`{}`),
	}
	exam.Golden(t, "testdata/request-bare.json", sent(t, secrets, bare).Body)
}

// TestRecord: an attempt's record says what was sent and hides what the
// address holds.
func TestRecord(t *testing.T) {
	server := httptest.NewServer(receiver.New(receiver.Options{}))
	defer server.Close()
	out := opened(t, `{"url": "`+server.URL+`/in/?token=abcdefghij&flag", "method": "PUT"}`, secrets).Deliver(t.Context(), config(exam.Parcel(1)))
	var got struct {
		Method, URL string
		Headers     map[string]string
		Body        struct{ Type string }
	}
	if err := json.Unmarshal(out.Exchange().Request, &got); err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPut || got.URL != server.URL+"/in/?token=********&flag" || got.Body.Type != "alert.raised" {
		t.Errorf("record %+v", got)
	}
	if got.Headers["Authorization"] != "********" || got.Headers["Webhook-Id"] == "" {
		t.Errorf("headers of the record %v", got.Headers)
	}
}

// TestEcho: a receiver that repeats what it does not accept shows no credential.
func TestEcho(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		_, _ = io.WriteString(w, "the token "+token+" has expired")
	}))
	defer server.Close()
	out := opened(t, `{"url": "`+server.URL+`"}`, secrets).Deliver(t.Context(), config(exam.Parcel(1)))
	for _, text := range []string{out.Err().Error(), out.Exchange().Response} {
		if strings.Contains(text, "s3cr3t") || !strings.Contains(text, "has expired") {
			t.Errorf("it says %q", text)
		}
	}
}

// TestTest opens a connection and sends nothing.
func TestTest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request was sent")
	}))
	settings := `{"url": "` + server.URL + `"}`
	out := opened(t, settings, nil).(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeDelivered || !strings.Contains(out.Exchange().Response, "nothing was sent") {
		t.Errorf("outcome %v %v, says %q", out.Kind(), out.Err(), out.Exchange().Response)
	}
	server.Close()
	if out := opened(t, settings, nil).(dispatch.Tester).Test(t.Context()); out.Kind() != dispatch.OutcomeDeferred {
		t.Errorf("nobody there: outcome %v", out.Kind())
	}
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	out = opened(t, `{"url": "`+untrusted.URL+`"}`, nil).(dispatch.Tester).Test(t.Context())
	if out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "certificate") {
		t.Errorf("untrusted certificate: outcome %v %v", out.Kind(), out.Err())
	}
}

// TestAnswerCutShort: the status is the answer, so a body that breaks off is
// no reason to send again.
func TestAnswerCutShort(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	}))
	defer server.Close()
	out := opened(t, `{"url": "`+server.URL+`"}`, nil).Deliver(t.Context(), config(exam.Parcel(1)))
	if out.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("outcome %v %v", out.Kind(), out.Err())
	}
}

// sent is the request that a receiver gets.
func sent(t *testing.T, secrets map[string]dispatch.Secret, p dispatch.Parcel) fake.Request {
	t.Helper()
	r := receiver.New(receiver.Options{})
	if err := r.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := opened(t, `{"url": "`+r.URL()+`"}`, secrets).Deliver(t.Context(), config(p))
	if out.Kind() != dispatch.OutcomeDelivered {
		t.Fatalf("outcome %v %v", out.Kind(), out.Err())
	}
	return r.Requests.All()[0]
}

func config(p dispatch.Parcel) dispatch.Parcel {
	p.Settings = Kind().ConfigSettings
	return p
}

func opened(t *testing.T, settings string, secrets map[string]dispatch.Secret) dispatch.Messenger {
	t.Helper()
	filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(settings), secrets)
	if problems != nil {
		t.Fatal(problems)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	m, err := Kind().Open(filled, dispatch.World{
		HTTP: &http.Client{Transport: transport},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
