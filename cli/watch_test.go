package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// watched is what a watcher did.
type watched struct {
	out, said string
	err       error
}

// watch runs a watcher against a ledger until it has printed that many events,
// for at most an hour of a bubble's time.
func watch(t *testing.T, l *ledger, after string, events int) watched {
	t.Helper()
	l.t = t
	c := clientOf(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var out, said bytes.Buffer
	w := &watcher{client: c, given: after, after: after, line: humanLine, err: &said, out: writerFunc(func(p []byte) (int, error) {
		n, err := out.Write(p)
		if bytes.Count(out.Bytes(), []byte("\n")) == events {
			cancel()
		}
		return n, err
	})}
	err := w.ended(ctx, w.run(ctx))
	if all := out.String() + said.String() + err.Error(); strings.Contains(all, secret) {
		t.Errorf("the token is told: %s", all)
	}
	return watched{out.String(), said.String(), err}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// wantEvents checks that exactly those tickets were printed, in order.
func (w watched) wantEvents(t *testing.T, n int) {
	t.Helper()
	var want strings.Builder
	for i := range n {
		fmt.Fprintf(&want, "2026-03-14T09:26:53Z  T-%d  OPENED            HIGH by sensor: Sign-in\n", i+1)
	}
	if w.out != want.String() {
		t.Errorf("printed\n%swant\n%sand said %s", w.out, want.String(), w.said)
	}
}

// wantExit checks how it ended.
func (w watched) wantExit(t *testing.T, code int, text string) {
	t.Helper()
	got := 1
	if coded, ok := errors.AsType[exit](w.err); ok {
		got = coded.ExitCode()
	}
	if got != code || w.err.Error() != text {
		t.Errorf("ended with %d: %s\nwant %d: %s\nhaving said %s", got, w.err, code, text, w.said)
	}
}

// TestWatch: the connection is lost in every way that there is, and no event is
// missed or comes twice.
func TestWatch(t *testing.T) {
	ends := []func(s *stand){
		func(s *stand) { _ = s.ws.CloseNow() }, // cut
		func(s *stand) { _ = s.ws.Close(websocket.StatusGoingAway, "Server is stopping") },
		func(s *stand) { s.send(`{"id":"1","type":"complete"}`); s.stay() },
		func(s *stand) {
			s.send(`{"id":"1","type":"error","payload":[{"message":"the server failed","extensions":{"code":"INTERNAL"}}]}`)
			s.stay()
		},
		func(s *stand) {
			s.send(`{"id":"1","type":"next","payload":{"data":null,"errors":[{"message":"the server failed","extensions":{"code":"INTERNAL"}}]}}`)
			s.stay()
		},
		func(s *stand) { // half a frame
			w, err := s.ws.Writer(s.ctx, websocket.MessageText)
			if err == nil {
				_, _ = w.Write([]byte(`{"id":"1","type":"next","payload":{"data":{"tick`))
			}
			_ = s.ws.CloseNow()
		},
		func(s *stand) { s.send(`{"id":"1","type":"next","payload":{"data":{"tick`) }, // as the library shows one that was cut
		func(s *stand) { // silent, though the network takes what it is sent
			for s.read() != nil {
			}
		},
		func(s *stand) { <-s.ctx.Done() }, // not even that
	}
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		l.script = func(call int, s *stand) {
			if !s.welcome() {
				return
			}
			s.show(3*call-2, 3*call)
			if call <= len(ends) {
				ends[call-1](s)
				return
			}
			s.stay()
		}
		w := watch(t, l, "", 3*(len(ends)+1))
		w.wantEvents(t, 3*(len(ends)+1))
		w.wantExit(t, 130, "interrupted; to go on from here give --after c30")
		if got := fmt.Sprint(l.afters); got != "[c0 c3 c6 c9 c12 c15 c18 c21 c24 c27]" {
			t.Errorf("the subscriptions began after %s", got)
		}
		for _, reason := range []string{"the connection broke off: ", "the server closed the connection: 1001 Server is stopping", "the server ended the stream", "the server failed", "nothing came for 40s"} {
			if !strings.Contains(w.said, reason) {
				t.Errorf("%q was not said in\n%s", reason, w.said)
			}
		}
	})
}

// TestWatchFromNowOn: a connection that is lost before its first event misses
// nothing, as the place was learned before it.
func TestWatchFromNowOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{script: func(call int, s *stand) {
			if s.welcome() && call == 2 {
				s.show(1, 2)
				s.stay()
			}
		}}
		watch(t, l, "", 2).wantEvents(t, 2)
		if got := fmt.Sprint(l.afters); got != "[c0 c0]" {
			t.Errorf("the subscriptions began after %s", got)
		}
	})
}

// TestWatchRefused: what no repeat cures ends it at once, with the remedy and,
// where it helps, with where to go on.
func TestWatchRefused(t *testing.T) {
	sayError := func(code, message string) func(*stand) {
		return func(s *stand) {
			if s.welcome() {
				s.send(fmt.Sprintf(`{"id":"1","type":"error","payload":[{"message":%q,"extensions":{"code":%q}}]}`, message, code))
				s.stay()
			}
		}
	}
	sayRaw := func(text string) func(*stand) {
		return func(s *stand) {
			if s.welcome() {
				s.send(text)
				s.stay()
			}
		}
	}
	const stranger = "http://server/graphql does not answer as a Tocsin server does; check --server; to go on from here give --after c5"
	for name, test := range map[string]struct {
		do   func(s *stand)
		code int
		want string
	}{
		"a token that is not accepted": {
			func(s *stand) { s.read(); _ = s.ws.Close(4403, "Forbidden") }, 1,
			"the server does not accept the token; it may be wrong, expired or revoked; use one with the scope RAISE; to go on from here give --after c5",
		},
		"a token without the scope": {
			sayError("FORBIDDEN", "no"), 1,
			"the token may not do this; use one with the scope RAISE; to go on from here give --after c5",
		},
		"a cursor that expired": {
			sayError("CURSOR_EXPIRED", "too old"), 3,
			"--after c5: the ledger no longer holds what follows this cursor; look at the tickets as they are now, then watch without --after",
		},
		"a cursor of another list": {
			sayError("BAD_REQUEST", "the cursor is not one of this list"), 2,
			"--after: the cursor is not one of this list; give a cursor that watch printed, or leave it out to begin now",
		},
		"a server of another version": {
			sayError("VALIDATION_FAILED", "no field ticketEvents"), 1,
			"the server does not know this request; use the tocsin of its version: no field ticketEvents; to go on from here give --after c5",
		},
		"a message that it does not know": {
			func(s *stand) { s.read(); _ = s.ws.Close(4400, "Unknown\x1b[2J") }, 1,
			"the server closed the connection: 4400 Unknown [2J; use the tocsin of the server's version; to go on from here give --after c5",
		},
		"an event without a cursor":   {sayRaw(`{"id":"1","type":"next","payload":{"data":{"ticketEvents":{"kind":"OPENED"}}}}`), 1, stranger},
		"an event of another shape":   {sayRaw(`{"id":"1","type":"next","payload":{"data":{"ticketEvents":{"cursor":7}}}}`), 1, stranger},
		"no message of the protocol":  {sayRaw(`hello`), 1, stranger},
		"a message of another stream": {sayRaw(`{"id":"2","type":"next","payload":{}}`), 1, stranger},
		"a message of no known type":  {sayRaw(`{"id":"1","type":"data"}`), 1, stranger},
		"an error that says nothing":  {sayRaw(`{"id":"1","type":"error","payload":[]}`), 1, stranger},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &ledger{script: func(_ int, s *stand) { test.do(s) }}
				w := watch(t, l, "c5", 1)
				w.wantExit(t, test.code, test.want)
				if l.calls != 1 || w.said != "" || w.out != "" {
					t.Errorf("%d connections, said %q, printed %q", l.calls, w.said, w.out)
				}
			})
		})
	}
}

// TestWatchHandshake: a server that is away or overloaded is asked again, as
// late as it wants; one that is no Tocsin server is not.
func TestWatchHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{before: func(w http.ResponseWriter, call int) bool {
			if call == 1 {
				w.Header().Set("Retry-After", "30")
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return call == 1
		}, script: func(_ int, s *stand) {
			if s.welcome() {
				s.show(1, 1)
				s.stay()
			}
		}}
		began := time.Now()
		w := watch(t, l, "", 1)
		w.wantEvents(t, 1)
		if took := time.Since(began); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("it came again after %v, want the 30 s that were asked for", took)
		}
		if w.said != "trying again in 30s: the server answered 503 Service Unavailable\n" {
			t.Errorf("said %q", w.said)
		}
	})
	for status, want := range map[int]string{
		http.StatusOK:           "http://server/graphql does not answer as a Tocsin server does; check --server; to go on from here give --after c5",
		http.StatusNotFound:     "http://server/graphql answered 404 Not Found; check --server; to go on from here give --after c5",
		http.StatusFound:        "http://server/graphql answered 302 Found; check --server; to go on from here give --after c5",
		http.StatusUnauthorized: "the server does not accept the token; it may be wrong, expired or revoked; use one with the scope RAISE; to go on from here give --after c5",
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &ledger{before: func(w http.ResponseWriter, _ int) bool {
				w.Header().Set("Location", "http://elsewhere/")
				w.WriteHeader(status)
				return true
			}}
			watch(t, l, "c5", 1).wantExit(t, 1, want)
		})
	}
}

// TestWatchBackoff: a server that stays away is asked less and less often.
func TestWatchBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{before: func(w http.ResponseWriter, _ int) bool { w.WriteHeader(http.StatusBadGateway); return true }}
		watch(t, l, "c5", 1).wantExit(t, 130, "interrupted; to go on from here give --after c5")
		if l.calls < 200 || l.calls > 500 {
			t.Errorf("%d tries within an hour, want one in 7.5 to 15 seconds", l.calls)
		}
	})
}

// TestWatchPings: each ping is answered with its payload, and a connection on
// which only pings are answered lives.
func TestWatchPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pongs []string
		l := &ledger{script: func(_ int, s *stand) {
			if !s.welcome() {
				return
			}
			for _, ping := range []string{`{"type":"ping"}`, `{"type":"ping","payload":{"n":7}}`} {
				s.send(ping)
				if m := s.read(); m != nil {
					pongs = append(pongs, m.Type+string(m.Payload))
				}
			}
			s.stay()
		}}
		w := watch(t, l, "", 1)
		if fmt.Sprint(pongs) != `[pong pong{"n":7}]` {
			t.Errorf("the pings were answered with %v", pongs)
		}
		if l.calls != 1 || w.said != "" {
			t.Errorf("%d connections within a quiet hour; said %s", l.calls, w.said)
		}
	})
}

// TestWatchCannotPrint: an event that was not printed does not count as seen.
func TestWatchCannotPrint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{t: t, script: func(_ int, s *stand) {
			if s.welcome() {
				s.show(1, 2)
				s.stay()
			}
		}}
		full := writerFunc(func([]byte) (int, error) { return 0, errors.New("no space left on device") })
		w := &watcher{client: clientOf(t, l), line: humanLine, out: full, err: full}
		err := w.ended(t.Context(), w.run(t.Context()))
		if err.Error() != "print an event: no space left on device; to go on from here give --after c0" {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestWatchTLS: a server that offers HTTP/2 is asked by HTTP/2, and subscribed
// to by HTTP/1.1, which alone can become a WebSocket there.
func TestWatchTLS(t *testing.T) {
	l := &ledger{t: t, script: func(_ int, s *stand) {
		if s.welcome() {
			s.show(1, 1)
			s.stay()
		}
	}}
	var asked string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			asked = r.Proto
		}
		l.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c, err := Server{URL: server.URL, TokenFile: tokenFile(t)}.client("READ")
	if err != nil {
		t.Fatal(err)
	}
	defer c.http.CloseIdleConnections()
	c.http.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var printed string
	w := &watcher{client: c, line: humanLine, err: io.Discard, out: writerFunc(func(p []byte) (int, error) {
		printed += string(p)
		cancel()
		return len(p), nil
	})}
	if err := w.run(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(printed, "T-1  OPENED") {
		t.Errorf("printed %q, ended with %v", printed, err)
	}
	if asked != "HTTP/2.0" {
		t.Errorf("asked by %s", asked)
	}
}
