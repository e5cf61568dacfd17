package peplink

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/dispatch"
	"tocsin/fake"
	incontrol "tocsin/fake/peplink"
)

var enriching = &ConfigSettings{Operation: opEnrich, Client: mac, Group: "3", EventLines: 10}

// TestGrant: one token is asked for, by a form, and carried by all calls in
// their header and never in their address.
func TestGrant(t *testing.T) {
	s := staged(t, incontrol.Options{}, "")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { s.Deliver(t.Context(), parcel(enriching)) })
	}
	all.Wait()
	if got := s.c.Grants(); got != 1 {
		t.Errorf("%d tokens were granted, want 1", got)
	}
	for _, r := range s.c.Requests.All() {
		isGrant := r.URL.Path == "/api/oauth2/token"
		if isGrant != (r.Header.Get("Content-Type") == "application/x-www-form-urlencoded") || r.URL.RawQuery != "" {
			t.Errorf("%s %s as %q", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		if !isGrant && !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer c0ffee") {
			t.Errorf("%s carries %q", r.URL, r.Header.Get("Authorization"))
		}
	}
}

// TestGrantAgain: a token that has ended is replaced once; when that does not
// help, a person must act, and InControl is not asked without end.
func TestGrantAgain(t *testing.T) {
	s := staged(t, incontrol.Options{}, "")
	s.deliver(t, parcel(enriching), dispatch.OutcomeDelivered)
	s.c.Expire()
	s.deliver(t, parcel(enriching), dispatch.OutcomeDelivered)
	if got := s.c.Grants(); got != 2 {
		t.Errorf("%d tokens were granted, want 2", got)
	}
	old := staged(t, incontrol.Options{Old: true}, "")
	old.settings.Organization = "wrong"
	out := old.deliver(t, parcel(enriching), dispatch.OutcomeMisconfigured)
	if got := len(old.c.Requests.All()); got != 4 || !strings.Contains(out.Err().Error(), "settings.organization") {
		t.Errorf("%d requests, want two grants and two calls; %v", got, out.Err())
	}
}

// TestGrantEnds: a token is replaced before the end that was named for it.
func TestGrantEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		grants := 0
		m := inBubble(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/oauth2/token" {
				grants++
				fmt.Fprintf(w, `{"access_token": "token-%d", "expires_in": 172799}`, grants)
				return
			}
			fmt.Fprint(w, `{"resp_code": "SUCCESS", "data": []}`)
		})
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {47 * time.Hour, 1}, {time.Hour, 2}} {
			<-time.After(step.after)
			if out := m.ask(t.Context(), m.place("g"), nil); out.Kind() != dispatch.OutcomeDelivered || grants != step.want {
				t.Errorf("after %v more: %s (%v), %d grants, want %d", step.after, out.Kind(), out.Err(), grants, step.want)
			}
		}
	})
}

// inBubble is a messenger whose calls are answered without a socket.
func inBubble(t *testing.T, answer http.HandlerFunc) *messenger {
	t.Helper()
	s := &Settings{URL: "http://ic.test", Organization: "aBcDeF", ClientID: "c", ClientSecret: secret}
	m, err := open(s, dispatch.World{HTTP: &http.Client{Transport: handled{answer}}})
	if err != nil {
		t.Fatal(err)
	}
	return m.(*messenger)
}

// TestGrantRefused: what is wrong with the client needs a person, all else passes.
func TestGrantRefused(t *testing.T) {
	for name, row := range map[string]struct {
		step fake.Step
		want dispatch.OutcomeKind
	}{
		"invalid client":  {fake.Step{Status: 401, Body: `{"error":"invalid_client"}`}, dispatch.OutcomeMisconfigured},
		"same in 400":     {fake.Step{Status: 400, Body: `{"error":"invalid_client"}`}, dispatch.OutcomeMisconfigured},
		"too fast":        {fake.Step{Status: 429}, dispatch.OutcomeDeferred},
		"too fast, old":   {fake.Step{Status: 403, Body: `{"message":"rate limit exceeded"}`}, dispatch.OutcomeDeferred},
		"unavailable":     {fake.Step{Status: 503}, dispatch.OutcomeDeferred},
		"no token":        {fake.Step{Status: 200, Body: `{"token_type":"Bearer"}`}, dispatch.OutcomeDeferred},
		"answer is lost":  {fake.Step{Apply: true, Reset: true}, dispatch.OutcomeDeferred},
		"an address else": {fake.Step{Status: 404}, dispatch.OutcomeRefused},
	} {
		s := staged(t, incontrol.Options{}, "")
		row.step.Path = "/api/oauth2/token"
		s.c.Play(row.step)
		out := s.Deliver(t.Context(), parcel(enriching))
		if out.Kind() != row.want || len(s.requests(http.MethodGet)) > 0 {
			t.Errorf("%s: %s (%v), want %s", name, out.Kind(), out.Err(), row.want)
		}
	}
}

// TestTokenIsHidden: neither the secret nor a token that was granted is in what
// is recorded, whatever the vendor repeats.
func TestTokenIsHidden(t *testing.T) {
	const granted = "c0ffee00c0ffee00c0ffee00c0ffee00"
	for name, answer := range map[string]string{
		"whole":  `{"access_token": "` + granted + `", "expires_in": "172799"}`,
		"broken": `{"access_token": "` + granted,
		"nested": `{"data": {"access_token": "` + granted + `"}}`,
	} {
		m := opened(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.URL.Path == "/api/oauth2/token" {
				fmt.Fprint(w, answer)
				return
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, "%s %v %s", r.URL, r.Header, body)
		}), `"clientId": "c"`, map[string]dispatch.Secret{"clientSecret": secret})
		out := m.Deliver(t.Context(), parcel(enriching))
		said := fmt.Sprintf("%v %s %+v", out.Err(), out.Exchange().Request, out)
		if strings.Contains(said, granted) || strings.Contains(said, secret) || out.Kind() == dispatch.OutcomeDelivered {
			t.Errorf("%s: %s", name, said)
		}
	}
}

// TestTurns: no second has more than twenty calls, and who would be held for
// long is sent away.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		var at []time.Time
		for range 60 {
			if _, err := turns.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Now())
		}
		for i := range at[:len(at)-20] {
			if at[i+20].Sub(at[i]) < time.Second {
				t.Fatalf("21 calls in %v", at[i+20].Sub(at[i]))
			}
		}
		away := 0
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if wait, err := turns.wait(t.Context()); err != nil && wait > longest {
					mu.Lock()
					defer mu.Unlock()
					away++
				}
			})
		}
		all.Wait()
		if away == 0 || away == 100 {
			t.Errorf("%d of 100 were sent away", away)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := turns.wait(ctx); err == nil {
			t.Error("one whose time has ended was let in")
		}
	})
}

// TestWriters: one at a time is at a list, and nobody waits longer than he may.
func TestWriters(t *testing.T) {
	var w writers
	leave, err := w.enter(t.Context(), "12")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.enter(ctx, "12"); err == nil {
		t.Error("two are at one list")
	}
	if other, err := w.enter(t.Context(), "13"); err != nil {
		t.Error(err)
	} else {
		other()
	}
	leave()
	if leave, err = w.enter(t.Context(), "12"); err != nil {
		t.Error(err)
	}
	leave()
}

// handled is a transport that hands requests to a handler.
type handled struct{ http.Handler }

// RoundTrip answers a request.
func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}
