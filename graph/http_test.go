package graph

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/dispatch"
)

// secret stands in requests that go wrong; neither answer nor log may hold it.
const secret = "hunter2-hunter2"

// TestRefusedRequests sends what cannot be read or may not be asked this way.
func TestRefusedRequests(t *testing.T) {
	s := newStage(t)
	long := strings.Repeat("x", 400)
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		want                       []string
	}{
		{"text after the JSON", "POST", "", typename + secret, nil, 400, []string{`"code":"BAD_REQUEST"`, "something after its end"}},
		{"a second object", "POST", "", typename + typename, nil, 400, []string{"something after its end"}},
		{"a name twice", "POST", "", `{"query":"{ __typename }","query":"{ x }"}`, nil, 400, []string{"has a name twice", "near byte"}},
		{"a name twice, deep", "POST", "", `{"query":"{ __typename }","variables":{"a":[{"b":1,"b":2}]}}`, nil, 400, []string{"has a name twice"}},
		{"a batch", "POST", "", "[" + typename + "]", nil, 400, []string{"batches are not taken"}},
		{"a text", "POST", "", `"` + secret + `"`, nil, 400, []string{"is not a JSON object"}},
		{"a stray comma", "POST", "", `{"query":"{ __typename }","variables":{"token":"` + secret + `",}}`, nil, 400, []string{"is not JSON near byte"}},
		{"single quotes", "POST", "", `{'query':'` + secret + `'}`, nil, 400, []string{"is not JSON near byte"}},
		{"nothing", "POST", "", "", nil, 400, []string{"is not JSON near byte 0"}},
		{"a byte order mark", "POST", "", "\ufeff" + typename, nil, 400, []string{"is not JSON"}},
		{"not UTF-8", "POST", "", "{\"query\":\"{ __typename }\",\"operationName\":\"\xff\"}", nil, 400, []string{"is not valid UTF-8"}},
		{"a NUL byte", "POST", "", "{\"query\":\"\x00\"}", nil, 400, []string{"is not JSON near byte"}},
		{"nested too deep", "POST", "", strings.Repeat(`{"query":`, 200) + "1" + strings.Repeat("}", 200), nil, 400, []string{"nested deeper than 100"}},
		{"an empty query", "POST", "", `{"query":""}`, nil, 400, []string{"query is not a text"}},
		{"another charset", "POST", "", typename, []string{"Content-Type: application/json; charset=latin1"}, 415, []string{"application/json in UTF-8"}},
		{"plain text, as a page elsewhere may send", "POST", "", typename, []string{"Content-Type: text/plain"}, 415, nil},
		{"a form, as a page elsewhere may send", "POST", "", "query=%7B__typename%7D", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, nil},
		{"multipart", "POST", "", typename, []string{"Content-Type: multipart/form-data; boundary=x"}, 415, nil},
		{"a media type that is none", "POST", "", typename, []string{"Content-Type: ;;"}, 415, nil},
		{"PUT", "PUT", "", typename, nil, 405, []string{"only GET and POST"}},
		{"DELETE", "DELETE", "", "", nil, 405, nil},
		{"OPTIONS", "OPTIONS", "", "", nil, 405, nil},
		{"an answer nobody makes", "POST", "", typename, []string{"Accept: text/html"}, 406, []string{"accept one of them"}},
		{"an answer in another charset", "POST", "", typename, []string{"Accept: application/json; charset=latin1"}, 406, nil},
		{"all answers refused", "POST", "", typename, []string{"Accept: application/json;q=0, */*;q=0"}, 406, nil},
		{"a subscription without a stream", "POST", "", `{"query":"subscription { ticketEvents { id } }"}`, nil, 406, []string{"accept text/event-stream", "WebSocket"}},
		{"a mutation by GET", "GET", "?query=" + url.QueryEscape(`mutation { raiseAlert(input: {behaviorModel: "m", summary: "s"}) { alertId } }`), "", nil, 405, []string{"send it by POST"}},
		{"the mutation of two by GET", "GET", "?operationName=B&query=" + url.QueryEscape(`query A { __typename } mutation B { __typename }`), "", nil, 405, nil},
		{"a GET with nothing", "GET", "", "", nil, 400, []string{"query is not a text"}},
		{"a GET with broken variables", "GET", "?query={__typename}&variables=%7B" + secret, "", nil, 400, []string{"is not JSON"}},
		{"a GET with a list for variables", "GET", "?query={__typename}&variables=[]", "", nil, 400, []string{"is not a JSON object"}},
		{"no operation of the name", "POST", "", `{"query":"query A { __typename }","operationName":"B"}`, []string{"Accept: " + mediaGraphQL}, 400, []string{"VALIDATION_FAILED"}},
		{"two operations and no name", "POST", "", `{"query":"query A { __typename } query B { __typename }"}`, []string{"Accept: " + mediaGraphQL}, 400, nil},
		{"no operation at all", "POST", "", `{"query":"fragment F on Query { __typename }"}`, []string{"Accept: " + mediaGraphQL}, 400, nil},
		{"a comment", "POST", "", `{"query":"# hello"}`, []string{"Accept: " + mediaGraphQL}, 400, nil},
		{"a field of a long name", "POST", "", `{"query":"{ ` + long + ` }"}`, nil, 200, []string{"VALIDATION_FAILED", "!" + strings.Repeat("x", 301)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers := append([]string{"Authorization: Bearer " + s.tokens[dispatch.ScopeAdmin]}, c.headers...)
			if !strings.Contains(strings.Join(headers, " "), "Content-Type") {
				headers = append(headers, "Content-Type: application/json")
			}
			response, body := s.do(s.request(c.method, "/graphql"+c.target, c.body, headers...))
			if response.StatusCode != c.status {
				t.Errorf("status %d, want %d", response.StatusCode, c.status)
			}
			contains(t, body, append(c.want, "!"+secret, `"errors":[`, `"code":"`, `!"data"`)...)
			if c.status == 405 && response.Header.Get("Allow") != "GET, POST" {
				t.Errorf("Allow is %q", response.Header.Get("Allow"))
			}
		})
	}
	contains(t, s.log.String(), "!"+secret, "!ERROR")
}

// TestUnauthenticated shows that nothing is read of who has no token.
func TestUnauthenticated(t *testing.T) {
	s := newStage(t)
	soon := time.Now().Add(50 * time.Millisecond)
	expired := s.token(dispatch.ScopeAdmin, &soon)
	revoked, id := s.newToken(dispatch.ScopeAdmin)
	s.revoke(id)
	<-time.After(time.Until(soon))
	for name, header := range map[string]string{
		"none": "", "unknown": "Bearer tocsin_" + strings.Repeat("x", 43), "not ours": "Bearer " + secret, "expired": "Bearer " + expired,
		"revoked": "Bearer " + revoked, "another scheme": "Basic " + s.tokens[dispatch.ScopeAdmin], "no scheme": s.tokens[dispatch.ScopeAdmin],
		"two": "Bearer " + s.tokens[dispatch.ScopeAdmin] + ", Bearer x", "10 kB": "Bearer " + strings.Repeat("x", 10_000),
	} {
		for _, accept := range []string{mediaJSON, mediaGraphQL, mediaEvents} {
			r := s.request(http.MethodPost, "/graphql", `{"query":"{ `+secret, "Accept: "+accept)
			if header != "" {
				r.Header.Set("Authorization", header)
			}
			response, body := s.do(r)
			if response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") != `Bearer realm="tocsin"` {
				t.Errorf("%s: status %d, %q", name, response.StatusCode, response.Header.Get("WWW-Authenticate"))
			}
			contains(t, body, `"code":"UNAUTHENTICATED"`, "send the header Authorization: Bearer", "!"+secret, "!tocsin_")
		}
	}
	if _, body := s.do(s.request(http.MethodPost, "/graphql", typename, "authorization:  bearer  "+s.tokens[dispatch.ScopeRaise], "Content-Type: application/json")); body != `{"data":{"__typename":"Query"}}` {
		t.Errorf("the scheme in small letters: %s", body)
	}
	contains(t, s.log.String(), "!"+secret, "!ERROR")
}

// TestBodyLimit sends bodies of all sizes around the two limits.
func TestBodyLimit(t *testing.T) {
	s := newStage(t)
	pad := func(body string, size int) string { return body + strings.Repeat(" ", size-len(body)) }
	raise := `{"query":"mutation { raiseAlerts(input: {alerts: [{behaviorModel: \"m\", summary: \"s\"}]}) { accepted } }"}`
	both := `{"query":"mutation { raiseAlerts(input: {alerts: [{behaviorModel: \"m\", summary: \"s\"}]}) { accepted } acknowledgeTickets(input: {tickets: []}) { userErrors { code } } }"}`
	for _, c := range []struct {
		name, body string
		size       int
		status     int
	}{
		{"1 MiB", typename, maxBody, 200},
		{"over 1 MiB", typename, maxBody + 1, 413},
		{"8 MiB of alerts", raise, maxRaiseBody, 200},
		{"over 8 MiB of alerts", raise, maxRaiseBody + 1, 413},
		{"over 1 MiB of alerts and something else", both, maxBody + 1, 413},
		{"over 1 MiB that cannot be parsed", `{"query":"{"}`, maxBody + 1, 413},
		{"10 MB", typename, 10_000_000, 413},
		{"half a million values", `{"query":"{ __typename }","variables":{"a":[` + strings.Repeat("1,", 500_000) + `1]}}`, maxBody + 1, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := s.request("POST", "/graphql", pad(c.body, c.size), "Authorization: Bearer "+s.tokens[dispatch.ScopeAdmin], "Content-Type: application/json")
			response, body := s.do(r)
			if response.StatusCode != c.status {
				t.Errorf("status %d, want %d: %.300s", response.StatusCode, c.status, body)
			}
			if c.status == 413 {
				contains(t, body, `"code":"REQUEST_TOO_LARGE"`, "send less at once")
			}
		})
	}
}

// TestAccepts chooses the media type by the weights of the caller.
func TestAccepts(t *testing.T) {
	for header, want := range map[string]string{
		"": mediaJSON, "*/*": mediaJSON, "application/*": mediaJSON, "text/html": "", "application/json": mediaJSON,
		"application/json;q=0.5, application/graphql-response+json": mediaGraphQL,
		"application/graphql-response+json;q=0.9, application/json": mediaJSON,
		"application/graphql-response+json, application/json;q=0.9": mediaGraphQL,
		"text/event-stream": mediaEvents, "text/event-stream, */*;q=0.1": mediaEvents,
		"text/html, application/xhtml+xml, */*;q=0.8":                     mediaJSON,
		"application/json;q=nan, application/graphql-response+json;q=0.1": mediaGraphQL,
		"application/json;q=-1":                                           "", "application/json; charset=UTF-8": mediaJSON,
		"application/graphql-response+json; charset=utf-8, application/json; charset=utf-8": mediaGraphQL,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", header)
		if got := accepted(r); got != want {
			t.Errorf("Accept %q: %q, want %q", header, got, want)
		}
	}
}

// TestStalledBody ends the server while a body is on its way that never comes:
// the drain must end with its context, and the caller is told.
func TestStalledBody(t *testing.T) {
	s := newStage(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	s.must(err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n", s.tokens[dispatch.ScopeRead])
	s.must(err)
	lines := bufio.NewReader(c)
	if line, _ := lines.ReadString('\n'); !strings.Contains(line, "100 Continue") { // it reads the body now
		t.Fatalf("answered %q", line)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.server.Drain(ctx) }()
	select {
	case err := <-drained:
		if err == nil {
			t.Error("the drain says that nothing was cut off")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the drain waits for a body that never comes")
	}
	rest, _ := io.ReadAll(lines)
	contains(t, string(rest), "408 Request Timeout", "Connection: close")
}

// TestSlowBody gives a body its time, and no more.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBubbleStage(t)
		body, end := io.Pipe()
		defer end.Close()
		r := s.request(http.MethodPost, "/graphql", "", "Authorization: Bearer "+s.tokens[dispatch.ScopeRead], "Content-Type: application/json")
		r.Body, r.ContentLength = body, -1
		began := time.Now()
		response, text := s.do(r)
		if response.StatusCode != http.StatusRequestTimeout {
			t.Errorf("status %d", response.StatusCode)
		}
		if waited := time.Since(began); waited != requestTime {
			t.Errorf("waited %s, want %s", waited, requestTime)
		}
		contains(t, text, `"code":"TIMEOUT"`, "did not come within 30s")
	})
}
