package fake_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/fake"
)

// vendor counts what it works on.
type vendor struct{ worked atomic.Int64 }

func (v *vendor) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	v.worked.Add(1)
	w.Header().Set("X-Vendor", "yes")
	_, _ = io.WriteString(w, "worked")
}

func start(t *testing.T) (*vendor, *fake.Server, *http.Client) {
	t.Helper()
	v := &vendor{}
	s := fake.NewServer(v)
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(func() { tr.CloseIdleConnections(); _ = s.Close() })
	return v, s, &http.Client{Transport: tr}
}

func post(ctx context.Context, c *http.Client, url, body string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	return resp, string(answer), err
}

func TestScriptIsPlayedInOrderByPath(t *testing.T) {
	v, s, c := start(t)
	s.Play(
		fake.Step{Path: "/a", Status: 429, Headers: map[string]string{"Retry-After": "7"}},
		fake.Step{Path: "/a", Status: 503, Times: 2, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<html>sorry</html>"},
		fake.Step{Path: "/b", Status: 410, Times: -1},
		fake.Step{Status: 500, Apply: true},
	)
	want := []struct {
		path   string
		status int
		body   string
	}{
		{"/b", 410, ""},
		{"/a", 429, ""},
		{"/a", 503, "<html>sorry</html>"},
		{"/a", 503, "<html>sorry</html>"},
		{"/a", 500, ""},
		{"/b", 410, ""},
		{"/a", 200, "worked"},
	}
	for i, w := range want {
		resp, body, err := post(t.Context(), c, s.URL()+w.path, "x")
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != w.status || body != w.body {
			t.Errorf("answer %d: got %d %q, want %d %q", i+1, resp.StatusCode, body, w.status, w.body)
		}
		if w.status == 429 && resp.Header.Get("Retry-After") != "7" {
			t.Errorf("answer %d: no Retry-After", i+1)
		}
	}
	if n := v.worked.Load(); n != 2 {
		t.Errorf("the vendor worked %d times, want 2: once as applied, once as it behaves", n)
	}
	s.Behave()
	if resp, _, err := post(t.Context(), c, s.URL()+"/b", ""); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("after Behave: %v %v", resp, err)
	}
}

func TestPeopleActBesideTheScript(t *testing.T) {
	v := &vendor{}
	s := fake.NewServer(v)
	s.People = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "told "+r.URL.Path) })
	s.Play(fake.Step{Status: 503})
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(func() { tr.CloseIdleConnections(); _ = s.Close() })
	c := &http.Client{Transport: tr}
	if _, body, err := post(t.Context(), c, s.URL()+"/_fake/act", ""); err != nil || body != "told /_fake/act" {
		t.Errorf("the people answer %q, %v", body, err)
	}
	if n := len(s.Requests.All()); n != 0 || v.worked.Load() != 0 {
		t.Errorf("%d requests recorded, want none", n)
	}
	if resp, _, err := post(t.Context(), c, s.URL()+"/", ""); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the script's step was used up: %v", err)
	}
}

func TestRecordsWhatCame(t *testing.T) {
	_, s, c := start(t)
	if _, _, err := post(t.Context(), c, s.URL()+"/p?q=1", "raw \x00 body"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Requests.Wait(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	r := got[0]
	if r.Method != http.MethodPost || r.URL.String() != "/p?q=1" || string(r.Body) != "raw \x00 body" || r.Time.IsZero() {
		t.Errorf("got %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Requests.Wait(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for what does not come: %v", err)
	}
}

func TestHangsUntilReleased(t *testing.T) {
	v, s, c := start(t)
	s.Play(fake.Step{Hang: true})
	answered := make(chan string, 1)
	go func() {
		_, body, err := post(t.Context(), c, s.URL(), "x")
		answered <- body + errText(err)
	}()
	if _, err := s.Requests.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n := v.worked.Load(); n != 0 {
		t.Errorf("the vendor worked while it hung")
	}
	s.Release()
	if got := <-answered; got != "worked" {
		t.Errorf("after the release: %q", got)
	}
}

func TestResetLosesTheAnswer(t *testing.T) {
	v, s, c := start(t)
	s.Play(fake.Step{Reset: true}, fake.Step{Reset: true, Apply: true})
	for i, worked := range []int64{0, 1} {
		_, body, err := post(t.Context(), c, s.URL(), "x")
		if err == nil {
			t.Errorf("reset %d: got an answer: %q", i+1, body)
		}
		if n := v.worked.Load(); n != worked {
			t.Errorf("reset %d: the vendor worked %d times, want %d", i+1, n, worked)
		}
	}
}

func TestCloseEndsWhatHangs(t *testing.T) {
	_, s, c := start(t)
	s.Play(fake.Step{Hang: true, Times: -1})
	failed := make(chan error, 1)
	go func() {
		_, _, err := post(t.Context(), c, s.URL(), "x")
		failed <- err
	}()
	if _, err := s.Requests.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("the hanging request was answered")
	}
}

// The whole conversation runs on the bubble's clock: an hour's timeout and a slow drip cost nothing.
func TestPipeRunsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fake.NewPipe()
		s := fake.NewServer(&vendor{})
		s.Serve(p)
		tr := &http.Transport{DialContext: p.DialContext}
		c := &http.Client{Transport: tr}
		s.Play(fake.Step{Hang: true}, fake.Step{Drip: 1000})

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, _, err := post(ctx, c, s.URL(), "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a silent server: %v", err)
		}
		if took := time.Since(began); took != time.Hour {
			t.Errorf("gave up after %v", took)
		}
		began = time.Now()
		resp, body, err := post(t.Context(), c, s.URL(), "x")
		if err != nil || body != "worked" || resp.Header.Get("X-Vendor") != "yes" {
			t.Errorf("drip: %q %v", body, err)
		}
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("six bytes took %v", took)
		}
		tr.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestScriptIsReadableJSON(t *testing.T) {
	want := []fake.Step{
		{Path: "/v2/enqueue", Times: 3, Status: 429, Headers: map[string]string{"Retry-After": "30"}},
		{Apply: true, Reset: true},
		{Hang: true, Drip: 50, Body: "late"},
	}
	const text = `[
		{"path": "/v2/enqueue", "times": 3, "status": 429, "headers": {"Retry-After": "30"}},
		{"apply": true, "reset": true},
		{"hang": true, "drip": 50, "body": "late"}
	]`
	var got []fake.Step
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
