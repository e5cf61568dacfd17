// Package exam is what every kind that speaks HTTP must be able to do, as a
// test that each kind sits: Sit. It plays a receiver on a real socket that
// behaves, fails, stays silent or breaks off. It does not judge what a message
// looks like; a golden request beside the kind does. Only tests import it.
package exam

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
)

// Paper is what the exam must know about a kind.
type Paper struct {
	Kind dispatch.Kind
	// Settings are the actor's, as an object, for a receiver at an address
	// such as http://127.0.0.1:8080.
	Settings func(address string) string
	Secrets  map[string]dispatch.Secret
	// Config is the n-th API config's settings, as an object. The exam makes
	// one for each of many deliveries at once, where a vendor limits each target.
	Config func(n int) string
	// Vendor makes a receiver that behaves as the contract says.
	Vendor func() http.Handler
	// ID reads what tells a delivery apart from the others from a request; "" for
	// a request that says nothing of it.
	ID func(r *http.Request, body []byte) string
	// Answers are the vendor's own, beside those of HTTP; they come first.
	Answers []Answer
	// RateLimitWait is what the kind waits after a 429 that names no time.
	RateLimitWait time.Duration
	// Crowd is how many deliveries come at once; 200 when it is 0.
	Crowd int
	// Refused are settings that Open must refuse.
	Refused []Refusal
}

// Answer is what a receiver says, and the outcome that it must lead to.
type Answer struct {
	Name   string
	Status int
	Header map[string]string
	Body   string
	Want   dispatch.OutcomeKind
	Wait   time.Duration
	Says   string // must be in the error
}

// Refusal is what Open must refuse, naming the field.
type Refusal struct {
	Name     string
	Settings string
	Secrets  map[string]dispatch.Secret
	Field    string // such as "settings.url"
}

// Sit holds the exam.
func Sit(t *testing.T, p Paper) {
	t.Helper()
	t.Run("settings", func(t *testing.T) { Settings(t, p.Kind) })
	t.Run("open", p.opens)
	t.Run("answers", p.answers)
	t.Run("retry-after", p.waits)
	t.Run("broken", p.broken)
	t.Run("ended", p.ended)
	t.Run("identity", p.identity)
	t.Run("echo", p.echo)
	t.Run("crowd", p.crowd)
	t.Run("hostile", p.hostile)
}

// seat is one messenger with the receiver that it talks to.
type seat struct {
	t         *testing.T
	paper     Paper
	messenger dispatch.Messenger
	logs      *bytes.Buffer
}

// seat opens a messenger for a receiver.
func (p Paper) seat(t *testing.T, receiver http.Handler) seat {
	t.Helper()
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	return p.at(t, server.URL)
}

func (p Paper) at(t *testing.T, address string) seat {
	t.Helper()
	filled, problems := dispatch.Fill(p.Kind.Settings, dispatch.JSON(p.Settings(address)), p.Secrets)
	if len(problems) > 0 {
		t.Fatalf("the paper's settings are refused: %v", problems)
	}
	world, logs := world(t)
	m, err := p.Kind.Open(filled, world)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return seat{t, p, m, logs}
}

func world(t *testing.T) (dispatch.World, *bytes.Buffer) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	logs := &bytes.Buffer{}
	return dispatch.World{
		HTTP: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Log:      slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Instance: "exam",
	}, logs
}

// deliver carries the n-th parcel and searches what comes back for secrets.
func (s seat) deliver(ctx context.Context, p dispatch.Parcel, n int) dispatch.Outcome {
	s.t.Helper()
	p.Settings = s.rendered(p, n)
	out := s.messenger.Deliver(ctx, p)
	s.search(out)
	return out
}

// rendered are the API config's settings as the hub hands them over.
func (s seat) rendered(p dispatch.Parcel, n int) any {
	s.t.Helper()
	config := dispatch.JSON(s.paper.Config(n))
	if _, problems := dispatch.Fill(s.paper.Kind.ConfigSettings, config, nil); len(problems) > 0 {
		s.t.Fatalf("the paper's config is refused: %v", problems)
	}
	text, problems := dispatch.RenderSettings(s.paper.Kind.ConfigSettings, config, p.Alert, p.Ticket, p.TicketURL)
	if len(problems) > 0 {
		s.t.Fatalf("render: %v", problems)
	}
	settings, err := dispatch.Unpack(s.paper.Kind.ConfigSettings, text)
	if err != nil {
		s.t.Fatal(err)
	}
	return settings
}

func (s seat) search(out dispatch.Outcome) {
	s.t.Helper()
	exchange, err := json.Marshal(out.Exchange())
	if err != nil {
		s.t.Errorf("the exchange is not JSON: %v", err)
	}
	if n := len(out.Exchange().Request); n > 32<<10 {
		s.t.Errorf("the request's record has %d bytes, want at most 32 KiB", n)
	}
	said := fmt.Sprintf("%v %+v %#v %v %s", out, out, out, out.Err(), exchange) + s.logs.String()
	for field, secret := range s.paper.Secrets {
		for _, part := range parts(secret) {
			if strings.Contains(said, part) {
				s.t.Errorf("secret %s shows in outcome, record or log:\n%.2000s", field, said)
			}
		}
	}
}

// parts are the texts that a secret is made of: itself, or the values of an object.
func parts(secret dispatch.Secret) []string {
	var object map[string]string
	if json.Unmarshal([]byte(secret), &object) != nil {
		return []string{string(secret)}
	}
	var out []string
	for _, value := range object {
		out = append(out, value)
	}
	return out
}

// want fails unless the outcome is of a kind and says why.
func want(t *testing.T, out dispatch.Outcome, kind dispatch.OutcomeKind) {
	t.Helper()
	if out.Kind() != kind {
		t.Errorf("outcome %s (%v), want %s", out.Kind(), out.Err(), kind)
	}
	if (out.Err() == nil) != (out.Kind() == dispatch.OutcomeDelivered) {
		t.Errorf("outcome %s with error %v", out.Kind(), out.Err())
	}
}
