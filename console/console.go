// Package console is the window: GraphiQL over the server's own GraphQL API,
// held in the binary and asking nothing of any other host. It knows no token
// and answers no query; the page sends both to /graphql of its own origin.
//
// The four .gz files are react 18.3.1, react-dom 18.3.1 and graphiql 4.1.2 as
// npm publishes them (UMD), compressed with gzip -9n; the test holds their sums.
package console

import (
	"crypto/sha256"
	_ "embed" // the files below
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

var (
	//go:embed graphiql/index.html
	indexHTML string
	//go:embed graphiql/react.js.gz
	reactJS []byte
	//go:embed graphiql/react-dom.js.gz
	reactDOMJS []byte
	//go:embed graphiql/graphiql.js.gz
	graphiqlJS []byte
	//go:embed graphiql/graphiql.css.gz
	graphiqlCSS []byte
	//go:embed graphiql/page.js
	pageJS []byte
	//go:embed graphiql/page.css
	pageCSS []byte
	//go:embed graphiql/examples.js
	examplesJS []byte
	//go:embed graphiql/licences.txt
	licences []byte
)

// policy lets the page load from its own origin only: its WebSocket is covered
// by 'self', and GraphiQL carries its fonts and cursors as data. The one inline
// style that GraphiQL tries, a scroll lock behind its dialogs, is not missed.
const policy = "default-src 'self'; font-src data:; img-src 'self' data:; object-src 'none'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves GraphiQL. Mount it below any path with a trailing slash, as
//
//	mux.Handle("/graphiql/", http.StripPrefix("/graphiql", console.Handler()))
//
// It answers GET and HEAD; what the page refers to carries its sum in its name
// and may be cached for ever, the page itself is asked for again each time.
func Handler() http.Handler {
	const forever, always = "public, max-age=31536000, immutable", "no-cache"
	mux := http.NewServeMux()
	page := indexHTML
	for _, f := range []file{
		{name: "react.js", body: reactJS, gzipped: true},
		{name: "react-dom.js", body: reactDOMJS, gzipped: true},
		{name: "graphiql.js", body: graphiqlJS, gzipped: true},
		{name: "graphiql.css", body: graphiqlCSS, gzipped: true},
		{name: "page.js", body: pageJS},
		{name: "page.css", body: pageCSS},
		{name: "examples.js", body: examplesJS},
		{name: "licences.txt", body: licences},
	} {
		f.sum, f.caching = sum(f.body), forever
		ext := path.Ext(f.name)
		versioned := strings.TrimSuffix(f.name, ext) + "." + f.sum + ext
		page = strings.ReplaceAll(page, `"`+f.name+`"`, `"`+versioned+`"`)
		mux.Handle("GET /"+versioned, f)
	}
	mux.Handle("GET /{$}", file{name: "index.html", body: []byte(page), sum: sum([]byte(page)), caching: always})
	return guarded(mux)
}

// sum is enough of the SHA-256 to tell two builds of a file apart.
func sum(body []byte) string {
	s := sha256.Sum256(body)
	return hex.EncodeToString(s[:8])
}

// guarded adds to every answer, refusals too, what a browser must not do with it.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}
