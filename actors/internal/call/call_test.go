package call_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"tocsin/actors/guard"
	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

const secret = `p&ss"w<rd/+ü`

// TestMask hides a secret in every form in which it travels.
func TestMask(t *testing.T) {
	asJSON, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"Bearer " + secret, "?token=" + url.QueryEscape(secret), "/hooks/" + url.PathEscape(secret), string(asJSON), strconv.Quote(secret),
		"Basic " + base64.StdEncoding.EncodeToString([]byte("a:"+secret)),
		"Basic " + base64.StdEncoding.EncodeToString([]byte("ab:"+secret)),
		"Basic " + base64.URLEncoding.EncodeToString([]byte("abc:"+secret+"x")),
	} {
		got := call.Hide(secret).Text(text)
		if !strings.Contains(got, "********") || len(got) > len(text)-len(secret)/2+8 {
			t.Errorf("%s became %s", text, got)
		}
	}
	if got := call.Hide("1", "true", "").Text(`{"n":1,"b":true}`); got != `{"n":1,"b":true}` {
		t.Errorf("texts that are no secrets are hidden: %s", got)
	}
	if got := call.Hide("secret", "secret-and-more").Text("secret-and-more"); got != "********" {
		t.Errorf("of the longer secret a part is left: %s", got)
	}
}

// TestRecord: what is kept is JSON of at most 32 KiB, bodies readable, headers
// that may be credentials by name only.
func TestRecord(t *testing.T) {
	for name, row := range map[string]struct{ kind, body, want string }{
		"json":   {"application/json", `{"a": "` + "long-secret" + `"}`, `{"a":"********"}`},
		"form":   {"application/x-www-form-urlencoded", "a=1&b=long-secret", `{"a":"1","b":"********"}`},
		"text":   {"text/plain", "long-secret\r\n", `"********\r\n"`},
		"large":  {"application/json", `["` + strings.Repeat("<", 40_000) + `"]`, "[cut]"},
		"broken": {"application/json", strings.Repeat("\xff\x00", 40_000), "[cut]"},
		"none":   {"text/plain", "", ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, r.Body)
		}))
		out := post(t, server.URL+"/x?key=long-secret", row.kind, row.body)
		server.Close()
		kept := out.Exchange()
		var got struct {
			URL     string
			Headers map[string]string
			Body    json.RawMessage
		}
		if err := json.Unmarshal(kept.Request, &got); err != nil || len(kept.Request) > 32<<10 || len(kept.Response) > 4<<10 {
			t.Errorf("%s: %d and %d bytes kept, error %v", name, len(kept.Request), len(kept.Response), err)
		}
		if body := string(got.Body); body != row.want && (row.want != "[cut]" || !strings.Contains(body, row.want)) {
			t.Errorf("%s: body %.100s, want %s", name, body, row.want)
		}
		if got.Headers["Authorization"] != "********" || !strings.HasSuffix(got.URL, "/x?key=********") {
			t.Errorf("%s: url %s, headers %v", name, got.URL, got.Headers)
		}
		if strings.Contains(kept.Response, "long-secret") {
			t.Errorf("%s: the response shows the secret", name)
		}
	}
}

// TestGuarded: what the guard refuses needs a person, and says what to do.
func TestGuarded(t *testing.T) {
	out := postBy(t, guard.New(nil).Client(), "http://127.0.0.1:1/", "text/plain", "x")
	if out.Kind() != dispatch.OutcomeMisconfigured || !strings.Contains(out.Err().Error(), "--allow-outbound 127.0.0.1/32") {
		t.Errorf("outcome %v %v", out.Kind(), out.Err())
	}
	allowed := guard.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).Client()
	if out := postBy(t, allowed, "http://127.0.0.1:1/", "text/plain", "x"); out.Kind() != dispatch.OutcomeDeferred {
		t.Errorf("nobody there: %v %v", out.Kind(), out.Err())
	}
}

// TestHalfWritten: a receiver that hangs up in the middle of a request has not
// got it, so it is simply sent again.
func TestHalfWritten(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}))
	defer server.Close()
	out := post(t, server.URL, "text/plain", strings.Repeat("x", 8<<20))
	if out.Kind() != dispatch.OutcomeDeferred {
		t.Errorf("outcome %v %v", out.Kind(), out.Err())
	}
}

// TestConnectionIsKept: a call drains its answer, so the next one uses the
// same connection.
func TestConnectionIsKept(t *testing.T) {
	var from []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from = append(from, r.RemoteAddr)
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, strings.Repeat("long answer ", 10_000))
	}))
	defer server.Close()
	for range 2 {
		postBy(t, server.Client(), server.URL, "text/plain", "x")
	}
	if len(from) != 2 || from[0] != from[1] {
		t.Errorf("two calls came from %v", from)
	}
}

// TestErrorIsCutAfterMasking: no half of a secret is left where an answer is cut.
func TestErrorIsCutAfterMasking(t *testing.T) {
	for before := 270; before < 310; before++ {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, strings.Repeat("x", before)+"long-secret"+strings.Repeat("y", 100))
		}))
		out := post(t, server.URL, "text/plain", "x")
		server.Close()
		if strings.Contains(out.Err().Error(), "lon") {
			t.Errorf("a secret after %d bytes: %v", before, out.Err())
		}
	}
}

// TestAddress refuses by field, and shows no password.
func TestAddress(t *testing.T) {
	for _, text := range []string{"", "example.com", "ftp://example.com", "http://", "https://:443:1", "http://u:passw0rd@example.com", "http://a b"} {
		_, err := call.Address("settings.url", text)
		var refusal *dispatch.Refusal
		if !errors.As(err, &refusal) || strings.Join(refusal.Problems[0].Path, ".") != "settings.url" {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "passw0rd") {
			t.Errorf("%q: %v shows the password", text, err)
		}
	}
	if _, err := call.Address("settings.url", "http://[2001:db8::1]:8080/x?y=z"); err != nil {
		t.Error(err)
	}
}

func post(t *testing.T, url, kind, body string) dispatch.Outcome {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	return postBy(t, &http.Client{Transport: transport}, url, kind, body)
}

func postBy(t *testing.T, client *http.Client, url, kind, body string) dispatch.Outcome {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", "Bearer abc")
	c := call.New(client, call.Hide("long-secret"))
	if response, err := c.Do(r); err == nil {
		response.Body.Close()
	}
	return c.Outcome()
}
