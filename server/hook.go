package server

import (
	"cmp"
	"errors"
	"io"
	"net/http"

	"tocsin/dispatch"
)

// maxHook is how large a webhook may be; PagerDuty's are at most 256 KB.
const maxHook = 1 << 20

// hook hands a webhook to the actor that it is for.
func (h *house) hook(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, POST")
		plain(w, http.StatusMethodNotAllowed, "use POST\n")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		plain(w, http.StatusRequestEntityTooLarge, "the body is over 1 MiB\n")
		return
	}
	if err != nil {
		plain(w, http.StatusBadRequest, "the body did not arrive\n")
		return
	}
	reply := h.desk.Receive(r.Context(), r.PathValue("actor"), dispatch.Inbound{
		Method: r.Method, Header: r.Header, Query: r.URL.Query(), Body: body,
	})
	w.Header().Set("Content-Type", cmp.Or(reply.Type, "text/plain; charset=utf-8"))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if reply.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(reply.Status)
	_, _ = io.WriteString(w, reply.Body) // a sender that has gone misses nothing
}
