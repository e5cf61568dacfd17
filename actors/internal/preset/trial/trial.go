// Package trial is what the tests of presets share: a receiver that holds a
// message to a service's limits, and the request that a preset sends, as a
// golden file. Only tests import it.
package trial

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"unicode/utf8"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
)

// Vendor answers as the service does when all is well, and 400 to a body that
// breaks its rules.
type Vendor struct {
	Answer exam.Answer
	// Rules tell whether a body would be taken; nil takes all.
	Rules func(body []byte) bool
}

func (v Vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || (v.Rules != nil && !v.Rules(body)) {
		http.Error(w, "the message breaks the rules of the service", http.StatusBadRequest)
		return
	}
	v.Answer.ServeHTTP(w, r)
}

// Field is a text of a JSON body; "" when it is not there or no text.
func Field(body []byte, name string) string {
	var all map[string]any
	if json.Unmarshal(body, &all) != nil {
		return ""
	}
	text, _ := all[name].(string)
	return text
}

// InForm is a field of a form.
func InForm(body []byte, name string) string {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return ""
	}
	return form.Get(name)
}

// Fits tells whether a text is there and has at most n characters.
func Fits(text string, n int) bool { return text != "" && utf8.RuneCountInString(text) <= n }

// Seat is an opened messenger in front of a receiver that keeps requests.
type Seat struct {
	Messenger dispatch.Messenger
	Sent      *[]Sent
}

// Sent is a request as a golden file holds it.
type Sent struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"`
}

// Open opens a messenger of the paper's kind; handler answers it.
func Open(t *testing.T, p exam.Paper, handler http.Handler) Seat {
	t.Helper()
	var all []Sent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all = append(all, sent(r))
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	settings := dispatch.JSON(p.Settings(server.URL))
	filled, problems := dispatch.Fill(p.Kind.Settings, settings, p.Secrets)
	if problems != nil {
		t.Fatal(problems)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	m, err := p.Kind.Open(filled, dispatch.World{HTTP: &http.Client{Transport: transport}, Instance: "trial"})
	if err != nil {
		t.Fatal(err)
	}
	return Seat{m, &all}
}

func sent(r *http.Request) Sent {
	s := Sent{Method: r.Method, Path: r.URL.RequestURI(), Headers: map[string]string{}}
	for name := range r.Header {
		if name != "User-Agent" && name != "Accept-Encoding" && name != "Content-Length" {
			s.Headers[name] = r.Header.Get(name)
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return s
	}
	r.Body = io.NopCloser(bytes.NewReader(body)) // for the handler
	if json.Valid(body) {
		s.Body = json.RawMessage(body)
		return s
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		s.Body = string(body)
		return s
	}
	fields := map[string]string{}
	for name := range form {
		fields[name] = form.Get(name)
	}
	s.Body = fields
	return s
}

// Parcel is the exam's n-th parcel for an API config of the paper's kind.
func Parcel(t *testing.T, p exam.Paper, n int) dispatch.Parcel {
	t.Helper()
	parcel := exam.Parcel(n)
	filled, problems := dispatch.RenderSettings(p.Kind.ConfigSettings, dispatch.JSON(p.Config(0)), parcel.Alert, parcel.Ticket, parcel.TicketURL)
	if problems != nil {
		t.Fatal(problems)
	}
	settings, err := dispatch.Unpack(p.Kind.ConfigSettings, filled)
	if err != nil {
		t.Fatal(err)
	}
	parcel.Settings = settings
	return parcel
}

// Update is the update after the parcel's ticket was closed.
func Update(p dispatch.Parcel, ref dispatch.Ref) dispatch.StatusUpdate {
	ticket := *p.Ticket
	ticket.Status = dispatch.TicketClosed
	return dispatch.StatusUpdate{
		DeliveryID: "dlv_update", Attempt: 1, Ticket: ticket, TicketURL: p.TicketURL, Alert: p.Alert, Settings: p.Settings,
		Link: dispatch.TicketLink{ExternalID: ref.ID, Data: ref.Data},
	}
}

// Golden delivers one parcel and compares the request with testdata/request.json.
func Golden(t *testing.T, p exam.Paper) {
	t.Helper()
	s := Open(t, p, p.Vendor())
	out := s.Messenger.Deliver(t.Context(), Parcel(t, p, 1))
	if out.Kind() != dispatch.OutcomeDelivered {
		t.Fatalf("%s %v", out.Kind(), out.Err())
	}
	Compare(t, "testdata/request.json", (*s.Sent)[0])
}

// Compare compares a request with a golden file.
func Compare(t *testing.T, file string, s Sent) {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	exam.Golden(t, file, text)
}
