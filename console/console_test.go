package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// mounted serves the console as the server does, below /graphiql/.
func mounted() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/graphiql/", http.StripPrefix("/graphiql", Handler()))
	return mux
}

// ask makes a request with the headers given as name, value pairs.
func ask(t *testing.T, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	mounted().ServeHTTP(w, r)
	return w
}

// references are the files that the page names, as it names them.
func references(t *testing.T) []string {
	t.Helper()
	var refs []string
	page := ask(t, http.MethodGet, "/graphiql/").Body.String()
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "data:") {
			refs = append(refs, m[1])
		}
	}
	return refs
}

func TestPageReferences(t *testing.T) {
	types := map[string]string{
		"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "txt": "text/plain; charset=utf-8",
	}
	refs := references(t)
	if len(refs) != 8 {
		t.Fatalf("the page refers to %d files, want 8: %q", len(refs), refs)
	}
	for _, ref := range refs {
		r := ask(t, http.MethodGet, "/graphiql/"+ref)
		if r.Code != http.StatusOK {
			t.Errorf("%s: status %d", ref, r.Code)
		}
		if got, want := r.Header().Get("Content-Type"), types[ref[strings.LastIndexByte(ref, '.')+1:]]; got != want {
			t.Errorf("%s: Content-Type %q, want %q", ref, got, want)
		}
		if got := r.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q, want immutable: its name carries its sum", ref, got)
		}
		if len(r.Body.String()) == 0 {
			t.Errorf("%s is empty", ref)
		}
	}
}

func TestNoOtherHost(t *testing.T) {
	for name, content := range map[string]string{
		"page": ask(t, http.MethodGet, "/graphiql/").Body.String(), "page.js": string(pageJS), "page.css": string(pageCSS),
		"graphiql.css": string(inflate(graphiqlCSS)),
	} {
		if other := regexp.MustCompile(`(?:https?:|wss?:|["'(])//\w`).FindString(content); other != "" {
			t.Errorf("%s names another host: %s", name, other)
		}
	}
}

func TestPolicy(t *testing.T) {
	for _, path := range []string{"/graphiql/", "/graphiql/" + references(t)[0], "/graphiql/absent.js"} {
		csp := ask(t, http.MethodGet, path).Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: Content-Security-Policy %q", path, csp)
		}
		if strings.Contains(csp, "unsafe-eval") || strings.Contains(csp, "http") || strings.Contains(csp, "*") {
			t.Errorf("%s: Content-Security-Policy is too wide: %q", path, csp)
		}
	}
	if strings.Contains(indexHTML, "<script>") || strings.Contains(indexHTML, " style=") {
		t.Error("the page has inline script or style, which its own policy refuses")
	}
}

func TestAskAgain(t *testing.T) {
	for _, path := range append(references(t), "") {
		first := ask(t, http.MethodGet, "/graphiql/"+path, "Accept-Encoding", "gzip")
		again := ask(t, http.MethodGet, "/graphiql/"+path, "Accept-Encoding", "gzip", "If-None-Match", first.Header().Get("ETag"))
		if again.Code != http.StatusNotModified || again.Body.String() != "" {
			t.Errorf("%q: status %d for the ETag just given, want 304 and no body", path, again.Code)
		}
		head := ask(t, http.MethodHead, "/graphiql/"+path, "Accept-Encoding", "gzip")
		if head.Code != http.StatusOK || head.Header().Get("ETag") != first.Header().Get("ETag") || head.Body.String() != "" {
			t.Errorf("%q: HEAD answers %d with %d headers, want those of GET and no body", path, head.Code, len(head.Header()))
		}
	}
}

func TestEncodings(t *testing.T) {
	path := "/graphiql/"
	for _, ref := range references(t) {
		if strings.HasPrefix(ref, "graphiql.") && strings.HasSuffix(ref, ".js") {
			path += ref
		}
	}
	for offer, want := range map[string]string{
		"": "", "br": "", "gzip;q=0": "", "gzip; q=0.0, br": "", "gzip": "gzip", "br, GZIP;q=0.5": "gzip", "deflate, gzip": "gzip",
	} {
		r := ask(t, http.MethodGet, path, "Accept-Encoding", offer)
		if got := r.Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q, want %q", offer, got, want)
		}
		if r.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: Vary is %q", offer, r.Header().Get("Vary"))
		}
		plain := r.Body.Bytes()
		if want == "gzip" {
			plain = inflate(plain)
		}
		if !bytes.Equal(plain, inflate(graphiqlJS)) {
			t.Errorf("Accept-Encoding %q: %d bytes, not the file", offer, len(plain))
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{http.MethodPost, "/graphiql/", http.StatusMethodNotAllowed},
		{http.MethodGet, "/graphiql/page.js", http.StatusNotFound}, // without its sum
		{http.MethodGet, "/graphiql/graphiql/index.html", http.StatusNotFound},
	} {
		if r := ask(t, c.method, c.path); r.Code != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, r.Code, c.status)
		}
	}
}

// TestPublished holds the embedded packages to what npm published:
// react@18.3.1, react-dom@18.3.1 (umd/*.production.min.js), graphiql@4.1.2 (graphiql.min.*).
func TestPublished(t *testing.T) {
	for name, f := range map[string]struct {
		body []byte
		sum  string
	}{
		"react.js":     {reactJS, "d949f1c3687aedadcedac85261865f29b17cd273997e7f6b2bfc53b2f9d4c4dd"},
		"react-dom.js": {reactDOMJS, "35f4f974f4b2bcd44da73963347f8952e341f83909e4498227d4e26b98f66f0d"},
		"graphiql.js":  {graphiqlJS, "867226ba8af5ce7949903fc53932f78dac9f4bfc6cc8da0fd3869b8bc6c5256b"},
		"graphiql.css": {graphiqlCSS, "30487e07635d312a63f647b140d37740a73c53332b0975bf4b1fe985ca6ec885"},
	} {
		got := sha256.Sum256(inflate(f.body))
		if hex.EncodeToString(got[:]) != f.sum {
			t.Errorf("%s is not the published file: SHA-256 %x, want %s", name, got, f.sum)
		}
	}
}
