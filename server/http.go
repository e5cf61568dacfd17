package server

import (
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tocsin/console"
	"tocsin/graph"
)

// newHTTP makes the server of all paths. There is no write timeout, since
// subscriptions last; the front door sets its own per request.
func (h *house) newHTTP() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("/graphql", h.graph)
	mux.Handle("/graphiql/", http.StripPrefix("/graphiql", console.Handler()))
	mux.Handle("GET /graphiql", http.RedirectHandler("/graphiql/", http.StatusFound))
	mux.Handle("GET /{$}", http.RedirectHandler("/graphiql/", http.StatusFound))
	mux.HandleFunc("GET /schema.graphql", schema)
	mux.HandleFunc("GET /tickets/{id}", ticket)
	mux.HandleFunc("/hooks/{actor}", h.hook)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", h.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.watch.registry, promhttp.HandlerOpts{}))
	return &http.Server{
		Handler: h.watch.requests(mux), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
}

func schema(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, graph.SDL()) }

// ticket leads a ticket's link to where it can be read: GraphiQL, with the
// query filled in.
func ticket(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/graphiql/#ticket="+url.QueryEscape(r.PathValue("id")), http.StatusFound)
}

// readyz says what is not ready; anybody may ask, so that details are in the log.
func (h *house) readyz(w http.ResponseWriter, r *http.Request) {
	if h.watch.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "draining: the server is about to end\n")
		return
	}
	if err := h.desk.Ready(r.Context()); err != nil {
		h.log.Error("the database is not ready", "error", err)
		plain(w, http.StatusServiceUnavailable, "database: it cannot be written or read now; the log tells why\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a client that has gone misses nothing
}
