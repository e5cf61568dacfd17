package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"code.dny.dev/ssrf"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	workspace "tocsin/fake/slack"
)

// ear is a Listen under way.
type ear struct {
	taken chan dispatch.StatusChange
	ended chan dispatch.Outcome
	stop  context.CancelFunc
}

// listening starts a Listen, which the test's end ends. Books decides what take
// answers; nil takes all.
func listening(t *testing.T, m *messenger, books func() error) ear {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e := ear{taken: make(chan dispatch.StatusChange, 100), ended: make(chan dispatch.Outcome, 1), stop: cancel}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.ended <- m.Listen(ctx, func(_ context.Context, changes []dispatch.StatusChange) error {
			if books != nil {
				if err := books(); err != nil {
					return err
				}
			}
			for _, c := range changes {
				e.taken <- c
			}
			return nil
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return e
}

// soon ends before a test that waits in vain would.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func connected(t *testing.T, w *workspace.Workspace, n int) {
	t.Helper()
	if _, err := w.Links.Wait(soon(t), n); err != nil {
		t.Fatal(err)
	}
}

func (e ear) outcome(t *testing.T) dispatch.Outcome {
	t.Helper()
	select {
	case out := <-e.ended:
		return out
	case <-soon(t).Done():
		t.Fatal("it still listens")
		return dispatch.Outcome{}
	}
}

// TestListen: a click over Socket Mode is acknowledged once it is in the books,
// and brings what one by request would.
func TestListen(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	l := delivered(t, m, exam.Parcel(1))
	e := listening(t, m, nil)
	connected(t, w, 1)
	if err := w.Click(soon(t), l.Data["channel"], l.Data["ts"], "acknowledge", "U061F7AUR"); err != nil {
		t.Fatal(err)
	}
	c := <-e.taken
	if c.Status != dispatch.TicketAcknowledged || c.By != "Jane Doe" || c.Names[0] != l.ExternalID || c.EventID == "" {
		t.Errorf("change %+v", c)
	}
	event, err := os.ReadFile("testdata/events/event_callback.tokens_revoked.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Tell(soon(t), event); err != nil {
		t.Errorf("an event: %v", err)
	}
	e.stop()
	if out := e.outcome(t); out.Kind() != dispatch.OutcomeDeferred || len(e.taken) > 0 {
		t.Errorf("%v %v, and %d more changes", out.Kind(), out.Err(), len(e.taken))
	}
}

// TestNotTaken: a click that did not get into the books is not acknowledged, so
// that the person sees it and clicks again.
func TestNotTaken(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	l := delivered(t, m, exam.Parcel(1))
	busy := make(chan error, 1)
	busy <- errors.New("the books are busy")
	e := listening(t, m, func() error {
		select {
		case err := <-busy:
			return err
		default:
			return nil
		}
	})
	connected(t, w, 1)
	if err := w.Click(soon(t), l.Data["channel"], l.Data["ts"], "close", "U061F7AUR"); err == nil {
		t.Error("the click was acknowledged and is nowhere")
	}
	if err := w.Click(soon(t), l.Data["channel"], l.Data["ts"], "close", "U061F7AUR"); err != nil || (<-e.taken).Status != dispatch.TicketClosed {
		t.Errorf("the second click: %v", err)
	}
}

// TestRefresh: when Slack is about to close the connection, another one is there
// before it ends, and no click is lost.
func TestRefresh(t *testing.T) {
	for _, reason := range []string{"warning", "refresh_requested"} {
		w := acme(nil)
		m := opened(t, w)
		l := delivered(t, m, exam.Parcel(1))
		e := listening(t, m, nil)
		connected(t, w, 1)
		if err := w.Disconnect(soon(t), reason); err != nil {
			t.Fatal(err)
		}
		connected(t, w, 2)
		if n := w.Connections(); n != 2 {
			t.Errorf("%s: %d connections, want the old one beside the new one", reason, n)
		}
		if err := w.Click(soon(t), l.Data["channel"], l.Data["ts"], "close", "U061F7AUR"); err != nil || (<-e.taken).Status != dispatch.TicketClosed {
			t.Errorf("%s: a click on the new connection: %v", reason, err)
		}
	}
}

// TestListenEnds: the outcome says whether a person has to act.
func TestListenEnds(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*workspace.Options)
		step   fake.Step
		act    func(*workspace.Workspace) error
		want   dispatch.OutcomeKind
		says   string
	}{
		"turned off": {act: func(w *workspace.Workspace) error { return w.Disconnect(t.Context(), "link_disabled") }, want: dispatch.OutcomeMisconfigured, says: "link_disabled"},
		"torn down": {
			act:  func(w *workspace.Workspace) error { w.Drop(); return nil },
			want: dispatch.OutcomeDeferred, says: "the connection was lost",
		},
		"wrong token":  {change: func(o *workspace.Options) { o.AppToken = "xapp-another" }, want: dispatch.OutcomeMisconfigured, says: "secrets.appToken"},
		"no scope":     {step: workspace.Failure("missing_scope"), want: dispatch.OutcomeMisconfigured, says: "connections:write"},
		"not granted":  {step: workspace.Failure("forbidden_team"), want: dispatch.OutcomeMisconfigured, says: "Socket Mode"},
		"rate limit":   {step: workspace.RateLimited("11"), want: dispatch.OutcomeDeferred, says: "429"},
		"outage":       {step: workspace.Outage(), want: dispatch.OutcomeDeferred, says: "503"},
		"answer lost":  {step: fake.Step{Reset: true}, want: dispatch.OutcomeDeferred},
		"old ticket":   {step: opens("/link/?ticket=old"), want: dispatch.OutcomeDeferred, says: "403"},
		"nobody there": {step: opens("/nowhere"), want: dispatch.OutcomeDeferred},
	} {
		t.Run(name, func(t *testing.T) {
			w := acme(row.change)
			m := opened(t, w)
			if row.step.Status != 0 || row.step.Reset {
				row.step.Path = "/api/apps.connections.open"
				if strings.Contains(row.step.Body, "ADDRESS") {
					address, _ := m.address(t.Context())
					row.step.Body = strings.Replace(row.step.Body, "ADDRESS", host(address), 1)
				}
				w.Play(row.step)
			}
			e := listening(t, m, nil)
			if row.act != nil {
				connected(t, w, 1)
				if err := row.act(w); err != nil {
					t.Fatal(err)
				}
			}
			out := e.outcome(t)
			if out.Kind() != row.want || !strings.Contains(out.Err().Error(), row.says) {
				t.Errorf("%v %v, want %v that says %q", out.Kind(), out.Err(), row.want, row.says)
			}
			if said := fmt.Sprintf("%+v", out); strings.Contains(said, "ticket") {
				t.Errorf("the address is a secret: %s", said)
			}
		})
	}
}

// opens is an answer that sends the app to a path of the fake's socket server.
func opens(path string) fake.Step {
	return fake.Step{Status: http.StatusOK, Body: `{"ok":true,"url":"ws://ADDRESS` + path + `"}`}
}

// TestListenIsGuarded: the address that Slack gives is dialed through the guard.
func TestListenIsGuarded(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	m.world.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, fmt.Errorf("%w: 10.0.0.1 is a private address", ssrf.ErrProhibitedIP)
	}
	if out := listening(t, m, nil).outcome(t); out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "private address") {
		t.Errorf("%v %v", out.Kind(), out.Err())
	}
}

// bubble is a workspace and a messenger that talk through pipes, for a clock of
// their own.
func bubble(t *testing.T) (*workspace.Workspace, *messenger) {
	t.Helper()
	web, sockets := fake.NewPipe(), fake.NewPipe()
	w := acme(func(o *workspace.Options) { o.Sockets = sockets })
	w.Serve(web)
	transport := &http.Transport{DialContext: web.DialContext}
	t.Cleanup(func() { transport.CloseIdleConnections(); _ = w.Close() })
	world := dispatch.World{HTTP: &http.Client{Transport: transport}, Dial: sockets.DialContext}
	return w, openedIn(t, world, w.URL(), secrets)
}

// TestSilence: pings keep a connection alive for hours; one that says nothing for
// a minute is dead.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := bubble(t)
		e := listening(t, m, nil)
		if _, err := w.Links.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * time.Hour)
		if w.Connections() != 1 || len(w.Links.All()) != 1 {
			t.Fatalf("%d connections of %d", w.Connections(), len(w.Links.All()))
		}
		w.Mute()
		start := time.Now()
		out := <-e.ended
		if took := time.Since(start); out.Kind() != dispatch.OutcomeDeferred || took > quiet || took < quiet-10*time.Second {
			t.Errorf("%v %v after %v", out.Kind(), out.Err(), took)
		}
	})
}

// TestOldConnectionEnds: one that was replaced is not kept longer than it can
// still bring something, and a server that asks to refresh all the time is not
// followed faster than every five seconds.
func TestOldConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := bubble(t)
		listening(t, m, nil)
		start := time.Now()
		for n := range 6 {
			if _, err := w.Links.Wait(t.Context(), n+1); err != nil {
				t.Fatal(err)
			}
			if err := w.Disconnect(t.Context(), "refresh_requested"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 15*time.Second {
			t.Errorf("six connections in %v", took)
		}
		<-time.After(linger + time.Minute)
		if n := w.Connections(); n != 1 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// answering is a network where everything gets one answer.
type answering string

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// TestListenIsEncrypted: an address without TLS is not used where the Web API has it.
func TestListenIsEncrypted(t *testing.T) {
	world := dispatch.World{HTTP: &http.Client{Transport: answering(`{"ok":true,"url":"ws://127.0.0.1:1/link/?ticket=1"}`)}}
	m := openedIn(t, world, "https://slack.invalid", secrets)
	if out := listening(t, m, nil).outcome(t); out.Kind() != dispatch.OutcomeDeferred || !strings.Contains(out.Err().Error(), "encrypted") {
		t.Errorf("%v %v", out.Kind(), out.Err())
	}
}
