package fake

import (
	"bytes"
	"context"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// answer is a response that is kept back until the script has decided what becomes of it.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}, status: http.StatusOK} }

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// answer is what the step itself says.
func (s Step) answer() *answer {
	a := newAnswer()
	a.status = s.Status
	for name, value := range s.Headers {
		a.header.Set(name, value)
	}
	a.body.WriteString(s.Body)
	return a
}

// send writes the answer, with a drip one byte at a time. It gives up when ctx ends.
func (a *answer) send(ctx context.Context, w http.ResponseWriter, drip time.Duration) {
	maps.Copy(w.Header(), a.header)
	if a.body.Len() > 0 { // not for 204 and 304, which may not carry one
		w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	}
	w.WriteHeader(a.status)
	if drip == 0 {
		_, _ = w.Write(a.body.Bytes()) // a client that went away is what scripts provoke
		return
	}
	for _, b := range a.body.Bytes() {
		select {
		case <-time.After(drip):
		case <-ctx.Done():
			return
		}
		_, _ = w.Write([]byte{b})
		_ = http.NewResponseController(w).Flush()
	}
}

// reset tears the connection down so that the client sees no answer, not even an orderly end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "the fake cannot reset this connection: "+err.Error(), http.StatusInternalServerError)
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // RST instead of FIN
	}
	_ = conn.Close()
}
