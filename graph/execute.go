package graph

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
)

// operation is one operation from its reading to its end.
type operation struct {
	s       *Server
	began   time.Time
	context *graphql.OperationContext
	given   map[string]any // the variables as they came
	refused gqlerror.List  // why it cannot run
	seen    Operation
}

// prepare parses, validates and weighs an operation. It runs nothing.
func (s *Server) prepare(ctx context.Context, params *graphql.RawParams) *operation {
	op := &operation{s: s, began: time.Now(), context: &graphql.OperationContext{}, given: params.Variables}
	op.validate(graphql.StartOperationTrace(ctx), params)
	if len(op.refused) > 0 {
		op.refused = limited(op.refused)
		op.note(op.refused)
	}
	if op.context.Operation == nil {
		return op
	}
	op.seen.Kind = string(op.context.Operation.Operation)
	for _, selection := range op.context.Operation.SelectionSet {
		if field, ok := selection.(*ast.Field); ok {
			op.seen.Fields = append(op.seen.Fields, field.Name)
		}
	}
	return op
}

// validate has the library look at the operation. A panic there is a fault of
// the server, like one in a field, and no document may end the process with it.
func (op *operation) validate(ctx context.Context, params *graphql.RawParams) {
	defer func() {
		if p := recover(); p != nil {
			op.refused = gqlerror.List{op.s.present(ctx, recovered(ctx, p))}
		}
	}()
	op.context, op.refused = op.s.exec.CreateOperationContext(ctx, params)
}

// refuse ends an operation that was well-formed and may not run this way.
func (op *operation) refuse(err *gqlerror.Error) {
	op.refused = limited(gqlerror.List{err})
	op.note(op.refused)
}

func (op *operation) is(kind ast.Operation) bool {
	return op.context.Operation != nil && op.context.Operation.Operation == kind
}

// raisesOnly tells whether every root field is raiseAlerts, which alone may
// come in a big request.
func (op *operation) raisesOnly() bool {
	if !op.is(ast.Mutation) {
		return false
	}
	for _, selection := range op.context.Operation.SelectionSet {
		if field, ok := selection.(*ast.Field); !ok || field.Name != "raiseAlerts" {
			return false
		}
	}
	return true
}

// run executes a query or a mutation and gives its answer.
func (op *operation) run(ctx context.Context) []byte {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	answer := op.planned(ctx)
	if answer != nil {
		return answer
	}
	op.each(op.s.withLoaders(ctx), func(r *graphql.Response) bool {
		answer = op.render(r)
		return false
	})
	if answer == nil { // ctx ended before anything ran
		gone := op.s.present(ctx, context.Cause(ctx))
		op.note(gqlerror.List{gone})
		return errorsOnly(gone)
	}
	return answer
}

// follow shows each answer of a subscription with its place in the ledger, after
// the place to resume at, until the stream or ctx ends, or show says no. It
// returns why the stream failed, for the caller to tell; nil when it ended well.
// What others ask, too, is executed once for all.
func (op *operation) follow(ctx context.Context, resume string, show func(song) bool, take func(song) bool) *gqlerror.Error {
	key := op.key(callerOf(ctx))
	if key == "" {
		return op.alone(ctx, resume, show)
	}
	seat, leave := op.s.chorus.join(ctx, key, op, take)
	defer leave()
	for {
		met, more := false, true
		failed := op.alone(ctx, resume, func(one song) bool {
			resume, more = one.place, show(one)
			met = seat.meets(one.place)
			return more && !met
		})
		if !met || !more {
			return failed
		}
		for songs, ok := seat.next(ctx); ok; songs, ok = seat.next(ctx) {
			seat.taken() // which the songs come after
			for _, one := range songs {
				if !show(one) {
					return nil
				}
				resume = one.place
			}
		}
		resume = cmp.Or(seat.taken(), resume)
		if ended := context.Cause(ctx); ended != nil {
			return op.cut(ctx, ended, nil)
		}
	}
}

// cut is why a stream failed whose context has ended: the caller hears of the end
// of his token, and of nothing else.
func (op *operation) cut(ctx context.Context, ended error, failed *gqlerror.Error) *gqlerror.Error {
	switch {
	case errors.Is(ended, context.Canceled): // the caller went; nobody is told
		return nil
	case failed == nil && errors.Is(ended, dispatch.ErrUnauthenticated):
		failed = op.s.present(ctx, ended)
	}
	if failed != nil {
		op.note(gqlerror.List{failed})
	}
	return failed
}

// alone executes a subscription for itself.
func (op *operation) alone(ctx context.Context, resume string, show func(song) bool) *gqlerror.Error {
	st := &stream{resume: resume, places: make(chan string, 4)}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, streamKey{}, st))
	var failed *gqlerror.Error
	op.each(ctx, func(r *graphql.Response) bool {
		if r.Data == nil && len(r.Errors) > 0 {
			failed = r.Errors[0]
			return false
		}
		return show(song{<-st.places, op.render(r)})
	})
	ended := context.Cause(ctx)
	cancel()
	err := st.failed()
	if failed == nil && ended == nil && err != nil {
		failed = op.s.present(ctx, err)
	}
	return op.cut(ctx, ended, failed)
}

// each hands the answers of an operation on. A panic outside of any field is
// answered as a fault of the server.
func (op *operation) each(ctx context.Context, show func(*graphql.Response) bool) {
	defer func() {
		if p := recover(); p != nil {
			show(&graphql.Response{Errors: gqlerror.List{op.s.present(ctx, recovered(ctx, p))}})
		}
	}()
	next, ctx := op.s.exec.DispatchOperation(ctx, op.context)
	for {
		response := next(op.s.withLoaders(ctx)) // each answer sees things as they are now
		if response == nil || !show(response) {
			return
		}
	}
}

// done tells the observer, once, when the operation is over.
func (op *operation) done() {
	if op.s.o.Observe != nil {
		op.seen.Took = time.Since(op.began)
		op.s.o.Observe(op.seen)
	}
}

// note keeps the first error's code for the observer.
func (op *operation) note(errs gqlerror.List) {
	if op.seen.Code == "" && len(errs) > 0 {
		if code, ok := errs[0].Extensions["code"].(gen.ErrorCode); ok {
			op.seen.Code = string(code)
		}
	}
}

// render writes an answer. Request errors carry no data at all, and no answer
// holds a line break, so that it fits into an event.
func (op *operation) render(r *graphql.Response) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	if len(r.Errors) > 0 {
		errs := limited(r.Errors)
		op.note(errs)
		b.WriteString(`"errors":`)
		b.Write(errorsJSON(errs))
	}
	if r.Data != nil {
		if len(r.Errors) > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"data":`)
		b.Write(r.Data)
	}
	b.WriteByte('}')
	line, err := oneLine(b.Bytes())
	if err != nil {
		return errorsOnly(op.s.present(context.Background(), err))
	}
	return line
}

// oneLine takes the line breaks out of JSON, which only stand between its values.
func oneLine(text []byte) ([]byte, error) {
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return text, nil
	}
	var line bytes.Buffer
	err := json.Compact(&line, text)
	return line.Bytes(), err
}

func errorsJSON(errs gqlerror.List) []byte {
	text, err := json.Marshal(errs)
	if err != nil { // paths, places and codes always marshal
		return []byte(`[]`)
	}
	return text
}

// errorsOnly is the answer to a request that was not executed.
func errorsOnly(errs ...*gqlerror.Error) []byte {
	return append(append([]byte(`{"errors":`), errorsJSON(errs)...), '}')
}
