package webhook

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	receiver "tocsin/fake/webhook"
)

// sentAs is the request that an API config makes of a parcel.
func sentAs(t *testing.T, config string, p dispatch.Parcel) fake.Request {
	t.Helper()
	r := receiver.New(receiver.Options{Secrets: []string{secret}})
	if err := r.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if out := withConfig(t, r.URL(), config, p); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatalf("outcome %v %v", out.Kind(), out.Err())
	}
	return r.Requests.All()[0]
}

func withConfig(t *testing.T, url, config string, p dispatch.Parcel) dispatch.Outcome {
	t.Helper()
	rendered, problems := dispatch.RenderSettings(Kind().ConfigSettings, dispatch.JSON(config), p.Alert, p.Ticket, p.TicketURL)
	if problems != nil {
		t.Fatal(problems)
	}
	var err error
	if p.Settings, err = dispatch.Unpack(Kind().ConfigSettings, rendered); err != nil {
		t.Fatal(err)
	}
	return opened(t, `{"url": "`+url+`"}`, secrets).Deliver(t.Context(), p)
}

// TestCloudEventsStructured: one JSON object with the attributes, signed as a whole.
func TestCloudEventsStructured(t *testing.T) {
	r := sentAs(t, `{"envelope": "cloudevents-structured"}`, exam.Parcel(1))
	exam.Golden(t, "testdata/cloudevent.json", r.Body)
	if got := r.Header.Get("Content-Type"); got != "application/cloudevents+json; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
}

// TestCloudEventsBinary: the attributes are headers and the body is the data.
func TestCloudEventsBinary(t *testing.T) {
	p := exam.Parcel(1)
	r := sentAs(t, `{"envelope": "cloudevents-binary", "eventType": "alert 100% \"ü\""}`, p)
	got := map[string]string{}
	for name := range r.Header {
		if strings.HasPrefix(name, "Ce-") || name == "Content-Type" {
			got[name] = r.Header.Get(name)
		}
	}
	want := map[string]string{
		"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": r.Header.Get("webhook-id"), "Ce-Source": "/tocsin/",
		"Ce-Type": "alert%20100%25%20%22%C3%BC%22", "Ce-Subject": "alert/" + p.Alert.ID, "Ce-Time": "2026-11-22T09:30:00Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	var body struct{ Alert struct{ ID string } }
	if json.Unmarshal(r.Body, &body) != nil || body.Alert.ID != p.Alert.ID {
		t.Errorf("body %s", r.Body)
	}
}

// TestUpdateAsCloudEvent: changes come in the form that the alert came in.
func TestUpdateAsCloudEvent(t *testing.T) {
	r := receiver.New(receiver.Options{Secrets: []string{secret}})
	if err := r.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	u := change()
	u.Settings, _ = dispatch.Fill(Kind().ConfigSettings, dispatch.JSON(`{"envelope": "cloudevents-structured"}`), nil)
	if out := opened(t, `{"url": "`+r.URL()+`"}`, secrets).(dispatch.Updater).Update(t.Context(), u); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatalf("outcome %v %v", out.Kind(), out.Err())
	}
	var got struct {
		Type, Subject string
		Time          time.Time
		Data          struct{ Ticket struct{ Status string } }
	}
	if err := json.Unmarshal(r.Taken()[0].Body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "ticket.updated" || got.Subject != "ticket/"+u.Ticket.ID || got.Data.Ticket.Status != "CLOSED" || !got.Time.Equal(u.Ticket.UpdatedAt) {
		t.Errorf("got %+v", got)
	}
}

// TestOwnBody: a body of its own is sent as it is written; what fields hold
// cannot break out of it, and nothing follows it.
func TestOwnBody(t *testing.T) {
	p := exam.Parcel(1)
	p.Alert.Summary = "say \"hi\"\r\n<b>\\ \u2028 {{.Alert.Key}}"
	p.Alert.Attributes = dispatch.JSON(`{"host": "a\"b", "ports": [1, 2]}`)
	for _, row := range []struct{ name, contentType, body, want string }{
		{
			"json", "application/json", `{"text": "{{.Alert.Summary}}", "n": {{.Alert.RiskScore}}, "h": "{{.Alert.Attributes.host}}"}`,
			`{"text": "say \"hi\"\r\n<b>\\ \u2028 {{.Alert.Key}}", "n": 87, "h": "a\"b"}`,
		},
		{"json of a vendor", "application/vnd.desk+json; v=2", `["{{ .Ticket.Number }}", "{{.Ticket.URL}}"]`, `["T-1001", "https://tocsin.example.com/tickets/1001"]`},
		{"text", "text/plain", "{{.Alert.Severity}}: {{.Alert.Key}} \"as it is\"", "HIGH: jdoe \"as it is\""},
		{"comment", "text/plain", "a{{/* not sent */}}b", "ab"},
	} {
		t.Run(row.name, func(t *testing.T) {
			config, _ := json.Marshal(map[string]string{"body": row.body, "contentType": row.contentType})
			r := sentAs(t, string(config), p)
			if string(r.Body) != row.want || r.Header.Get("Content-Type") != row.contentType {
				t.Errorf("%s body %s, want %s", r.Header.Get("Content-Type"), r.Body, row.want)
			}
		})
	}
	server := httptest.NewServer(exam.Answer{Status: http.StatusOK})
	defer server.Close()
	if ref := withConfig(t, server.URL, `{"body": "[]"}`, p).Ref(); !ref.Loose {
		t.Errorf("it is followed: %+v", ref)
	}
}

// TestBrokenBody: what cannot be sent is refused before it is sent, with the setting.
func TestBrokenBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	defer server.Close()
	for name, row := range map[string]struct{ config, says string }{
		"no JSON": {`{"body": "{\"text\": {{.Alert.Summary}}}"}`, "settings.body is not JSON once"},
		"no type": {`{"body": "x", "contentType": null}`, "settings.contentType is not a media type"},
	} {
		t.Run(name, func(t *testing.T) {
			out := withConfig(t, server.URL, row.config, exam.Parcel(1))
			if out.Kind() != dispatch.OutcomeRefused || !strings.Contains(out.Err().Error(), row.says) {
				t.Errorf("%s %v", out.Kind(), out.Err())
			}
		})
	}
}
