package graph

import (
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"tocsin/dispatch"
)

func TestServeForAudit(t *testing.T) {
	if os.Getenv("AUDIT") == "" { t.Skip("AUDIT not set") }
	st := &stubStore{}
	d, err := dispatch.NewDesk(t.Context(), dispatch.Options{Store: st, Log: slog.Default(), PublicURL: "http://x"})
	if err != nil { t.Fatal(err) }
	s := New(d, Options{Log: slog.Default(), Introspection: true, Version: "v", Storage: "sqlite", StartedAt: time.Now()})
	srv := &http.Server{Addr: "127.0.0.1:4777", Handler: s}
	go srv.ListenAndServe()
	<-time.After(600 * time.Second)
}
