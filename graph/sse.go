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
	eventQueue     = 16 // answers that wait for a slow reader
	// writeTime is how long one write to a stream may take before its reader
	// counts as gone.
	writeTime = 10 * time.Second
)

// events writes a stream of server-sent events. One goroutine uses it.
type events struct {
	w      http.ResponseWriter
	c      *http.ResponseController
	buffer []byte
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
	e.write([]byte(": open\n\n"))
	switch {
	case op.refused != nil:
		e.next(song{data: errorsOnly(op.refused...)}, nil)
	case op.is(ast.Subscription):
		if failed := op.stream(ctx, e, r.Header.Get("Last-Event-ID")); failed != nil {
			e.next(song{data: errorsOnly(limited(gqlerror.List{failed})...)}, nil)
		}
	default:
		e.next(song{data: op.run(ctx)}, nil)
	}
	e.write([]byte("event: complete\ndata:\n\n"))
}

// stream shows the answers of a subscription, and a comment where there is none
// for a while.
func (op *operation) stream(ctx context.Context, e *events, resume string) *gqlerror.Error {
	ctx, cancel, stop := until(ctx, op.s.soft)
	defer stop()
	answers := make(chan song, eventQueue)
	result := make(chan *gqlerror.Error, 1)
	go func() { // ends with ctx; result is waited for below
		result <- op.follow(ctx, resume, func(one song) bool {
			select {
			case answers <- one:
				return true
			case <-ctx.Done():
				return false
			}
		}, func(one song) bool {
			select {
			case answers <- one:
				return true
			default:
				return false
			}
		})
	}()
	idle := time.NewTicker(eventKeepAlive)
	defer idle.Stop()
	for {
		select {
		case one := <-answers:
			e.next(one, answers)
		case <-idle.C:
			e.write([]byte(":\n\n"))
		case failed := <-result:
			e.rest(answers)
			return failed
		}
		if e.broken {
			cancel(context.Canceled)
		}
	}
}

// next writes one answer, and with it those that wait already.
func (e *events) next(one song, waiting <-chan song) {
	e.buffer = one.event(e.buffer[:0])
	for len(e.buffer) < maxWrite {
		select {
		case one := <-waiting:
			e.buffer = one.event(e.buffer)
			continue
		default:
		}
		break
	}
	e.write(e.buffer)
}

// rest writes the answers that a stream left when it ended.
func (e *events) rest(waiting <-chan song) {
	for len(waiting) > 0 {
		e.next(<-waiting, waiting)
	}
}

// event adds an answer to a buffer; its id is where to go on after it.
func (one song) event(to []byte) []byte {
	if one.place != "" {
		to = append(append(append(to, "id: "...), one.place...), '\n')
	}
	to = append(to, "event: next\ndata: "...)
	return append(append(to, one.data...), "\n\n"...)
}

func (e *events) write(text []byte) {
	if e.broken {
		return
	}
	_ = e.c.SetWriteDeadline(time.Now().Add(writeTime)) // where it is not supported, the server's own holds
	if _, err := e.w.Write(text); err != nil || e.c.Flush() != nil {
		e.broken = true
	}
}
