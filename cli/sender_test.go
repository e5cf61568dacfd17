package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// alertLines are n lines of about that many bytes, with keys of their own.
func alertLines(n, size int) string {
	var b strings.Builder
	fill := strings.Repeat("x", max(size-100, 0))
	for i := range n {
		fmt.Fprintf(&b, `{"behaviorModel":"m","summary":"s","idempotencyKey":"k%d","description":%q}`+"\n", i+1, fill)
	}
	return b.String()
}

// outcome is what a run leaves.
type outcome struct {
	tally tally
	said  string
	err   error
}

// sendTo runs a sender against a desk, in the time of a bubble.
func sendTo(t *testing.T, d *desk, in io.Reader) (out outcome) {
	t.Helper()
	var said bytes.Buffer
	s := &sender{client: clientOf(t, d), retryFor: 2 * time.Minute, err: &said, tally: tally{file: "in.jsonl"}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	entries := make(chan entry)
	go newReader(io.NopCloser(in), "/in.jsonl", fromTocsin).run(ctx, entries)
	err := s.run(ctx, entries)
	if strings.Contains(said.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("the token is told: %s, %v", &said, err)
	}
	return outcome{s.tally, said.String(), err}
}

// wantTally compares what became of the lines.
func (o outcome) wantTally(t *testing.T, want string) {
	t.Helper()
	if got := o.tally.summary(); got != want || o.err != nil {
		t.Errorf("%s, %v; want %s\n%.1000s", got, o.err, want, o.said)
	}
}

func TestBatchesByCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		sendTo(t, d, strings.NewReader(alertLines(1203, 0))).wantTally(t, "accepted 1203, repeated 0, rejected 0, skipped 0")
		if got := fmt.Sprint(d.sizes()); got != "[500 500 203]" {
			t.Errorf("requests of %s alerts", got)
		}
		if h := d.requests[0].header; h.Get("Authorization") != "Bearer "+secret || h.Get("Content-Type") != "application/json" {
			t.Errorf("header %v", h)
		}
		sendTo(t, d, strings.NewReader(alertLines(1203, 0))).wantTally(t, "accepted 0, repeated 1203, rejected 0, skipped 0")
	})
}

func TestBatchesByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		in := alertLines(9, 1<<20) + alertLines(1, maxBody-8) + alertLines(1, 0)
		o := sendTo(t, d, strings.NewReader(in))
		if o.tally.accepted != 9 || o.tally.repeated != 1 || fmt.Sprint(o.tally.rejectedLines) != "[10]" {
			t.Errorf("%s", o.tally.summary())
		}
		if o.said != "in.jsonl:10: makes a request of more than 8 MiB; shorten it\n" {
			t.Errorf("said %.200s", o.said)
		}
		for _, r := range d.requests {
			if r.size > maxBody {
				t.Errorf("a request has %d bytes", r.size)
			}
		}
		if len(d.requests) != 2 {
			t.Errorf("requests of %v alerts, want two that are as full as may be", d.sizes())
		}
	})
}

// TestExactlyFull: a request may have exactly the bytes that the server takes,
// with one alert and with two.
func TestExactlyFull(t *testing.T) {
	const frame = `{"behaviorModel":"m","idempotencyKey":"k","summary":""}`
	line := func(size int) string {
		return strings.Replace(frame, `""`, `"`+strings.Repeat("x", size-len(frame))+`"`, 1) + "\n"
	}
	room := maxBody - len(bodyHead) - len(bodyTail)
	for _, test := range []struct {
		name, in string
		sizes    string
		rejected string
	}{
		{"one", line(room), "[1]", "[]"},
		{"one too long", line(room + 1), "[]", "[1]"},
		{"two", line(room-100) + line(99), "[2]", "[]"},
		{"two too long", line(room-100) + line(100), "[1 1]", "[]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &desk{}
			o := sendTo(t, d, strings.NewReader(test.in))
			if got := fmt.Sprint(d.sizes()); got != test.sizes || fmt.Sprint(o.tally.rejectedLines) != test.rejected {
				t.Errorf("%s: requests of %s alerts, %s", test.name, got, o.tally.summary())
			}
			for _, r := range d.requests {
				if r.size > maxBody || len(d.requests) == 1 && r.size != maxBody {
					t.Errorf("%s: a request of %d bytes", test.name, r.size)
				}
			}
		})
	}
}

// TestHalved: what a server refuses as too large goes in halves, down to the
// alert that it does not take, which is named.
func TestHalved(t *testing.T) {
	refusals := map[string]func(http.ResponseWriter){
		"status 413": func(w http.ResponseWriter) { http.Error(w, "too large", http.StatusRequestEntityTooLarge) },
		"error code": func(w http.ResponseWriter) {
			fmt.Fprint(w, `{"errors":[{"message":"the request is too large","extensions":{"code":"REQUEST_TOO_LARGE"}}]}`)
		},
		"user error": func(w http.ResponseWriter) {
			fmt.Fprint(w, `{"data":{"raiseAlerts":{"results":[],"userErrors":[{"message":"alerts has too many","path":["input","alerts"]}]}}}`)
		},
		"a value of one": func(w http.ResponseWriter) {
			fmt.Fprint(w, `{"data":null,"errors":[{"message":"no such value","path":["variable","input"],"extensions":{"code":"VALIDATION_FAILED"}}]}`)
		},
	}
	for name, answer := range refusals {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{}
				d.refuse = func(w http.ResponseWriter, r request) bool {
					bad := len(r.keys) > 3 || strings.Contains(strings.Join(r.keys, " ")+" ", "k7 ")
					if bad {
						answer(w)
					}
					return bad
				}
				o := sendTo(t, d, strings.NewReader(alertLines(10, 0)))
				o.wantTally(t, "accepted 9, repeated 0, rejected 1 (line 7), skipped 0")
				if !strings.HasPrefix(o.said, "in.jsonl:7: ") || strings.Count(o.said, "\n") != 1 {
					t.Errorf("said %q", o.said)
				}
			})
		})
	}
}

// TestTriesAgain: an overloaded server gets the time it asks for, and then the
// same alerts with the same keys.
func TestTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		d.refuse = func(w http.ResponseWriter, _ request) bool {
			switch len(d.requests) {
			case 1:
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusServiceUnavailable)
			case 2:
				w.Header().Set("Retry-After", time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat))
				w.WriteHeader(http.StatusTooManyRequests)
			case 3:
				fmt.Fprint(w, `{"data":null,"errors":[{"message":"the database cannot take this now","extensions":{"code":"OVERLOADED"}}]}`)
			default:
				return false
			}
			return true
		}
		o := sendTo(t, d, strings.NewReader(alertLines(3, 0)))
		o.wantTally(t, "accepted 3, repeated 0, rejected 0, skipped 0")
		if len(d.requests) != 4 {
			t.Fatalf("%d requests", len(d.requests))
		}
		for i, least := range []time.Duration{7 * time.Second, 19 * time.Second, 500 * time.Millisecond} {
			if waited := d.requests[i+1].at.Sub(d.requests[i].at); waited < least || waited > least+2*time.Second {
				t.Errorf("try %d came after %v, want about %v", i+2, waited, least)
			}
			if fmt.Sprint(d.requests[i].keys) != fmt.Sprint(d.requests[3].keys) {
				t.Errorf("try %d had the keys %v, the last %v", i+1, d.requests[i].keys, d.requests[3].keys)
			}
		}
		if !strings.HasPrefix(o.said, "trying again in 7s: the server answered 503 Service Unavailable\n") {
			t.Errorf("said %q", o.said)
		}
	})
}

// TestLostAnswer: alerts that were taken before the answer was lost count as
// repeated, and are not raised twice.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		d.after = func() {
			if len(d.requests) == 1 {
				panic(http.ErrAbortHandler)
			}
		}
		sendTo(t, d, strings.NewReader(alertLines(5, 0))).wantTally(t, "accepted 0, repeated 5, rejected 0, skipped 0")
	})
}

// TestGivesUp: a server that stays away ends the run after --retry-for, with
// the remedy.
func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{refuse: func(w http.ResponseWriter, _ request) bool { w.WriteHeader(http.StatusBadGateway); return true }}
		began := time.Now()
		o := sendTo(t, d, strings.NewReader(alertLines(3, 0)))
		if o.err == nil || o.err.Error() != "no answer within --retry-for 2m0s: the server answered 502 Bad Gateway; see to the server" {
			t.Errorf("ended with %v", o.err)
		}
		if took := time.Since(began); took > 2*time.Minute || took < time.Minute || len(d.requests) > 20 {
			t.Errorf("%d tries within %v", len(d.requests), took)
		}
	})
}

// TestEndsAtOnce: what no repeat cures is asked once.
func TestEndsAtOnce(t *testing.T) {
	const unknown = "the server does not accept the token; it may be wrong, expired or revoked; use one with the scope RAISE"
	for _, test := range []struct {
		status     int
		body, want string
	}{
		{401, `{"errors":[{"message":"no","extensions":{"code":"UNAUTHENTICATED"}}]}`, unknown},
		{401, `<html>`, unknown},
		{200, `{"data":null,"errors":[{"message":"no","extensions":{"code":"UNAUTHENTICATED"}}]}`, unknown},
		{200, `{"data":null,"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}`, "the token may not do this; use one with the scope RAISE"},
		{400, `{"errors":[{"message":"no field x","extensions":{"code":"VALIDATION_FAILED"}}]}`, "the server does not know this request; use the tocsin of its version: no field x"},
		{404, `not found`, "http://server/graphql answered 404 Not Found; check --server"},
		{302, ``, "http://server/graphql answered 302 Found; check --server"},
		{200, `<html>welcome</html>`, "http://server/graphql does not answer as a Tocsin server does; check --server"},
		{200, `{"data":{"raiseAlerts":null}}`, "the server answered without a result; see its log"},
		{200, `{"data":{"raiseAlerts":{"results":[{}],"userErrors":[]}}}`, "the server answered for 1 alerts of 3; see its log"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &desk{}
			d.refuse = func(w http.ResponseWriter, _ request) bool {
				w.Header().Set("Location", "http://elsewhere/")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
				return true
			}
			o := sendTo(t, d, strings.NewReader(alertLines(3, 0)))
			if o.err == nil || o.err.Error() != test.want || len(d.requests) != 1 {
				t.Errorf("%d %s: %d requests, then %v; want %s", test.status, test.body, len(d.requests), o.err, test.want)
			}
		})
	}
}

// TestRejected: an alert that the server does not take is named by its line,
// and says nothing that a terminal would obey.
func TestRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{problem: func(key string) (string, string) {
			if key == "k2" {
				return "summary is \x1b[2J\u202etoo long\nOK", "summary"
			}
			return "", ""
		}}
		o := sendTo(t, d, strings.NewReader("\n"+alertLines(3, 0)+"{}\n"))
		o.wantTally(t, "accepted 2, repeated 0, rejected 2 (line 5, 3), skipped 0")
		want := "in.jsonl:5: behaviorModel: is missing; give some text\nin.jsonl:3: summary: is  [2J too long OK\n"
		if o.said != want {
			t.Errorf("said %q, want %q", o.said, want)
		}
	})
}

// TestLinger: an alert of a stream is sent soon, though nothing follows it.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		in, write := io.Pipe()
		done := make(chan outcome)
		go func() { done <- sendTo(t, d, in) }()
		fmt.Fprint(write, alertLines(2, 0))
		synctest.Wait()
		if len(d.sizes()) != 0 {
			t.Error("the alerts did not wait for others")
		}
		<-time.After(linger + time.Millisecond)
		synctest.Wait()
		if fmt.Sprint(d.sizes()) != "[2]" {
			t.Errorf("after %v there are requests of %v alerts", linger, d.sizes())
		}
		_ = write.Close()
		(<-done).wantTally(t, "accepted 2, repeated 0, rejected 0, skipped 0")
	})
}

// TestReadsNoFurther: an input that breaks off in the middle fails the run;
// what came before it is raised.
func TestReadsNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		in, write := io.Pipe()
		go func() {
			fmt.Fprint(write, alertLines(2, 0))
			_ = write.CloseWithError(io.ErrUnexpectedEOF)
		}()
		o := sendTo(t, d, in)
		if o.err == nil || o.err.Error() != "read line 3: unexpected EOF" || o.tally.accepted != 2 {
			t.Errorf("%s, %v", o.tally.summary(), o.err)
		}
	})
}
