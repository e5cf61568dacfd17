package exam

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/dispatch"
)

// common are the answers of HTTP itself.
var common = []Answer{
	{Name: "internal error", Status: 500, Want: dispatch.OutcomeDeferred},
	{Name: "bad gateway", Status: 502, Body: "<html>bad gateway</html>", Want: dispatch.OutcomeDeferred},
	{Name: "unavailable", Status: 503, Want: dispatch.OutcomeDeferred},
	{Name: "timeout there", Status: 408, Want: dispatch.OutcomeDeferred},
	{Name: "too early", Status: 425, Want: dispatch.OutcomeDeferred},
	{Name: "too many", Status: 429, Want: dispatch.OutcomeDeferred},
	{Name: "bad request", Status: 400, Want: dispatch.OutcomeRefused},
	{Name: "not found", Status: 404, Want: dispatch.OutcomeRefused},
	{Name: "gone", Status: 410, Want: dispatch.OutcomeRefused},
	{Name: "too large", Status: 413, Want: dispatch.OutcomeRefused},
	{Name: "moved", Status: 302, Header: map[string]string{"Location": "/elsewhere"}, Want: dispatch.OutcomeRefused},
	{Name: "moved for good", Status: 308, Header: map[string]string{"Location": "/elsewhere"}, Want: dispatch.OutcomeRefused},
}

func (a Answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}

// answers: delivered when the vendor behaves; each failing answer has its outcome.
func (p Paper) answers(t *testing.T) {
	want(t, p.seat(t, p.Vendor()).deliver(t.Context(), Parcel(1), 0), dispatch.OutcomeDelivered)
	own := map[int]bool{}
	for _, a := range p.Answers {
		own[a.Status] = true
	}
	all := slices.Clone(p.Answers)
	for _, a := range common {
		if !own[a.Status] {
			all = append(all, a)
		}
	}
	for _, a := range all {
		t.Run(a.Name, func(t *testing.T) {
			out := p.seat(t, a).deliver(t.Context(), Parcel(1), 0)
			want(t, out, a.Want)
			if out.Wait() != a.Wait {
				t.Errorf("waits %v, want %v", out.Wait(), a.Wait)
			}
			if out.Err() != nil && !strings.Contains(out.Err().Error(), a.Says) {
				t.Errorf("error %q does not say %q", out.Err(), a.Says)
			}
			if out.Exchange().HTTPStatus != a.Status {
				t.Errorf("recorded status %d, want %d", out.Exchange().HTTPStatus, a.Status)
			}
		})
	}
}

// waits: Retry-After is kept in seconds and as a date, at most a day of it;
// one that cannot be read is as good as none.
func (p Paper) waits(t *testing.T) {
	date := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for _, row := range []struct {
		after     string
		low, high time.Duration
	}{
		{"7", 7 * time.Second, 7 * time.Second},
		{date, 80 * time.Second, 90 * time.Second},
		{"9999999", 24 * time.Hour, 24 * time.Hour},
		{"Mon, 02 Jan 2006 15:04:05 GMT", 0, 0},
		{"soon", 0, 0},
		{"-5", 0, 0},
	} {
		for _, status := range []int{429, 503} {
			a := Answer{Status: status, Header: map[string]string{"Retry-After": row.after}}
			out := p.seat(t, a).deliver(t.Context(), Parcel(1), 0)
			want(t, out, dispatch.OutcomeDeferred)
			low, high := row.low, row.high
			if status == 429 && high == 0 {
				low, high = p.RateLimitWait, p.RateLimitWait
			}
			if out.Wait() < low || out.Wait() > high {
				t.Errorf("%d with Retry-After %q waits %v, want %v to %v", status, row.after, out.Wait(), low, high)
			}
		}
	}
}

// broken: nobody there is deferred, an untrusted certificate needs a person,
// and a connection that breaks after the request was read leaves it uncertain.
func (p Paper) broken(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	want(t, p.at(t, gone.URL).deliver(t.Context(), Parcel(1), 0), dispatch.OutcomeDeferred)

	untrusted := httptest.NewUnstartedServer(p.Vendor())
	untrusted.Config.ErrorLog = silent()
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	want(t, p.at(t, untrusted.URL).deliver(t.Context(), Parcel(1), 0), dispatch.OutcomeMisconfigured)

	reset := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // reset, not an orderly end
		}
		_ = conn.Close()
	})
	want(t, p.seat(t, reset).deliver(t.Context(), Parcel(1), 0), dispatch.OutcomeUncertain)
}

// ended: a context that ends before the request is deferred, one that ends
// while the receiver is silent leaves it uncertain, and neither waits longer.
func (p Paper) ended(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, p.seat(t, p.Vendor()).deliver(ctx, Parcel(1), 0), dispatch.OutcomeDeferred)

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	mute := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	want(t, p.seat(t, mute).deliver(ctx, Parcel(1), 0), dispatch.OutcomeUncertain)
}

// identity: the second attempt carries the first one's id, another delivery
// another. Of several requests of a delivery one carries it.
func (p Paper) identity(t *testing.T) {
	var ids []string
	vendor := p.Vendor()
	s := p.seat(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if id := p.ID(r, body); id != "" {
			ids = append(ids, id)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		vendor.ServeHTTP(w, r)
	}))
	again := Parcel(1)
	again.Attempt = 2
	for i, parcel := range []dispatch.Parcel{Parcel(1), again, Parcel(2)} {
		want(t, s.deliver(t.Context(), parcel, i), dispatch.OutcomeDelivered)
	}
	if len(ids) != 3 || ids[0] != ids[1] || ids[0] == ids[2] {
		t.Errorf("ids %q: want the same twice, then another", ids)
	}
}

// echo: a receiver that repeats all that it got puts no secret into the record.
func (p Paper) echo(t *testing.T) {
	s := p.seat(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, r.URL.String()+"\n") // echoing is what this receiver is for
		_ = r.Header.Write(w)
		_, _ = w.Write(body)
	}))
	if out := s.deliver(t.Context(), Parcel(1), 0); out.Kind() == dispatch.OutcomeDelivered {
		t.Error("delivered, though the receiver answered 400")
	}
}

// crowd: two hundred deliveries at once through one messenger, or as many as a
// vendor takes from one account.
func (p Paper) crowd(t *testing.T) {
	s := p.seat(t, p.Vendor())
	outs := make([]dispatch.Outcome, cmp.Or(p.Crowd, 200))
	var all sync.WaitGroup
	for i := range outs {
		parcel := Parcel(i)
		parcel.Settings = s.rendered(parcel, i)
		all.Go(func() { outs[i] = s.messenger.Deliver(t.Context(), parcel) })
	}
	all.Wait()
	for i, out := range outs {
		s.search(out)
		if out.Kind() != dispatch.OutcomeDelivered {
			t.Fatalf("delivery %d of %d: %s %v", i, len(outs), out.Kind(), out.Err())
		}
	}
}

// hostile: no text breaks the framing of a message or the limits of a vendor.
func (p Paper) hostile(t *testing.T) {
	huge := strings.Repeat("a\r\nX-Evil: 1\r\n\"}]<!channel>&<b>", 10<<20/30) // 10 MB, and more once escaped
	for name, text := range map[string]string{
		"lines":   "one\r\nX-Evil: 1\r\n\r\nGET / HTTP/1.1",
		"html":    `<script>alert(1)</script>&amp;<a href="x">`,
		"mrkdwn":  "<!channel> <@U061F7AUR> *b* _i_ ~s~ `c` ```p``` > q",
		"unicode": "\u202e\u0000\ufeff\u2028 😀 \xff\xfe",
		"json":    `"},"routing_key":"x","a":{"`,
		"random":  rand.Text() + strings.Repeat("𝕏", 30_000),
		"huge":    huge,
	} {
		t.Run(name, func(t *testing.T) {
			evil := 0
			vendor := p.Vendor()
			s := p.seat(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Evil") != "" {
					evil++
				}
				vendor.ServeHTTP(w, r)
			}))
			parcel := Parcel(1)
			a := &parcel.Alert
			a.Description = &text
			text := text[:min(len(text), 100_000)]
			a.Summary, a.BehaviorModel = text, text
			a.Key, a.KeyType, a.Behavior, a.Source = &text, &text, &text, &text
			a.Risks = []string{text, "", text}
			parcel.Ticket.Title = text
			want(t, s.deliver(t.Context(), parcel, 0), dispatch.OutcomeDelivered)
			if evil > 0 {
				t.Error("the text became a header")
			}
		})
	}
}
