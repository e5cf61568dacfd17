package graph

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// socketOp is one operation on a WebSocket.
type socketOp struct {
	c      *socket
	id     string
	head   []byte          // of its answers: all before the payload
	ctx    context.Context //nolint:containedctx // of this operation
	cancel context.CancelFunc

	mu     sync.Mutex // held while a message is left for the writer, so that silence is exact
	silent bool
}

func (c *socket) newOp(id string) *socketOp {
	ctx, cancel := context.WithCancel(withCaller(c.ctx, c.caller))
	return &socketOp{c: c, id: id, head: message(id, "next", []byte{}).head, ctx: ctx, cancel: cancel}
}

// run executes the operation and tells its end, unless the other side ended it.
func (o *socketOp) run(params *graphql.RawParams) {
	defer o.cancel()
	op := o.c.s.prepare(o.ctx, params)
	defer op.done()
	switch {
	case op.refused != nil:
		o.last(message(o.id, "error", errorsJSON(op.refused)))
		return
	case op.is(ast.Subscription):
		ctx, _, stop := until(o.ctx, o.c.s.soft)
		defer stop()
		if failed := op.follow(ctx, "", func(one song) bool { return o.next(one.data) }, o.take); failed != nil {
			o.fail(failed)
			return
		}
	default:
		o.next(op.run(o.ctx))
	}
	o.last(message(o.id, "complete", nil))
}

// fail ends the operation with an error.
func (o *socketOp) fail(err *gqlerror.Error) {
	o.last(message(o.id, "error", errorsJSON(limited(gqlerror.List{err}))))
}

// next sends one answer; it says no when nothing more is wanted.
func (o *socketOp) next(data []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.silent && o.c.send(frame{head: o.head, data: data})
}

// take sends one answer of the chorus, unless it would have to wait.
func (o *socketOp) take(one song) bool {
	if !o.mu.TryLock() {
		return false
	}
	defer o.mu.Unlock()
	if o.silent {
		return true // nothing more is wanted
	}
	select {
	case o.c.out <- frame{head: o.head, data: one.data}:
		return true
	default:
		return false
	}
}

// last sends the operation's end. Before that its id is free, so that the other
// side may use it again at once.
func (o *socketOp) last(f frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.silent {
		return
	}
	o.silent = true
	o.c.forget(o)
	o.c.send(f)
}

func (c *socket) forget(o *socketOp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[o.id] == o {
		delete(c.running, o.id)
	}
}

// silence ends the operation without a word.
func (o *socketOp) silence() {
	o.cancel()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.silent = true
}
