package graph

import (
	"context"
	"net/http"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

const (
	eventKeepAlive = 15 * time.Second
	// writeTime is how long one write to a stream may take before its reader
	// counts as gone.
	writeTime = 10 * time.Second
)

// events writes a stream of server-sent events. One goroutine uses it.
type events struct {
	w      http.ResponseWriter
	c      *http.ResponseController
	broken bool
}

// serveEvents answers any operation as graphql-sse has it, one a connection:
// also why it cannot be executed is an event, since EventSource shows nothing
// else to its page.
func (op *operation) serveEvents(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	e := &events{w: w, c: http.NewResponseController(w)}
	defer func() { _ = e.c.SetWriteDeadline(time.Time{}) }() // the connection may serve another request
	w.Header().Set("Content-Type", mediaEvents+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx holds a stream back otherwise
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	e.write(": open\n\n")
	switch {
	case op.refused != nil:
		e.next("", errorsOnly(op.refused...))
	case op.is(ast.Subscription):
		if failed := op.stream(ctx, e, r.Header.Get("Last-Event-ID")); failed != nil {
			e.next("", errorsOnly(limited(gqlerror.List{failed})...))
		}
	default:
		e.next("", op.run(ctx))
	}
	e.write("event: complete\ndata:\n\n")
}

// stream shows the answers of a subscription, and a comment where there is none
// for a while.
func (op *operation) stream(ctx context.Context, e *events, resume string) *gqlerror.Error {
	ctx, cancel, stop := until(ctx, op.s.soft)
	defer stop()
	answers := make(chan song)
	result := make(chan *gqlerror.Error, 1)
	go func() { // ends with ctx; result is waited for below
		result <- op.follow(ctx, resume, func(place string, data []byte) bool {
			select {
			case answers <- song{place, data}:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	idle := time.NewTicker(eventKeepAlive)
	defer idle.Stop()
	for {
		select {
		case one := <-answers:
			e.next(one.place, one.data)
		case <-idle.C:
			e.write(":\n\n")
		case failed := <-result:
			return failed
		}
		if e.broken {
			cancel(context.Canceled)
		}
	}
}

// next writes one answer; its id is where to go on after it.
func (e *events) next(place string, data []byte) {
	id := ""
	if place != "" {
		id = "id: " + place + "\n"
	}
	e.write(id + "event: next\ndata: " + string(data) + "\n\n")
}

func (e *events) write(text string) {
	if e.broken {
		return
	}
	_ = e.c.SetWriteDeadline(time.Now().Add(writeTime)) // where it is not supported, the server's own holds
	if _, err := e.w.Write([]byte(text)); err != nil || e.c.Flush() != nil {
		e.broken = true
	}
}
