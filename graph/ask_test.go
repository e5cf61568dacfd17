package graph

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"tocsin/dispatch"
)

// request makes a request with the headers given as "Name: value".
func (s *stage) request(method, target, body string, headers ...string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+target, strings.NewReader(body))
	s.must(err)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func (s *stage) do(r *http.Request) (*http.Response, string) {
	s.t.Helper()
	response, err := s.transport.RoundTrip(r)
	s.must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	s.must(err)
	return response, string(body)
}

// ask sends a document as a caller with that scope.
func (s *stage) ask(scope dispatch.Scope, document string, variables map[string]any) string {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	s.must(err)
	_, answer := s.do(s.request(http.MethodPost, "/graphql", string(body), "Authorization: Bearer "+s.tokens[scope], "Content-Type: application/json"))
	return answer
}

// dig reads a value from an answer by its path.
func (s *stage) dig(answer string, path ...string) any {
	s.t.Helper()
	var value any
	s.must(json.Unmarshal([]byte(answer), &value))
	for _, name := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			if len(v) == 0 {
				s.t.Fatalf("no %s in %s", name, answer)
			}
			value = v[0]
		default:
			s.t.Fatalf("no %s in %s", name, answer)
		}
	}
	return value
}

func (s *stage) text(answer string, path ...string) string {
	s.t.Helper()
	text, ok := s.dig(answer, append([]string{"data"}, path...)...).(string)
	if !ok {
		s.t.Fatalf("no text at %v in %s", path, answer)
	}
	return text
}

// contains looks for parts in an answer; a part that begins with ! must not be there.
func contains(tb testing.TB, answer string, parts ...string) {
	tb.Helper()
	for _, part := range parts {
		if part, not := strings.CutPrefix(part, "!"); not == strings.Contains(answer, part) {
			tb.Errorf("wanted %q (absent: %v) in\n%.2000s", part, not, answer)
		}
	}
}
