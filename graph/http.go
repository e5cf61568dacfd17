package graph

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
)

// refusal is a request that is answered before anything of it is executed. The
// status of one that was read and cannot be executed depends on the media type.
type refusal struct {
	status int
	errs   gqlerror.List
}

func refuseRequest(status int, code gen.ErrorCode, format string, args ...any) *refusal {
	return &refusal{status, gqlerror.List{refuse(code, format, args...)}}
}

// ServeHTTP answers GET and POST as GraphQL over HTTP has it, a subscription as
// server-sent events, and the upgrade to a WebSocket.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	leave, ok := s.enter()
	if !ok {
		w.Header().Set("Retry-After", "1")
		answer(w, mediaJSON, refuseRequest(http.StatusServiceUnavailable, gen.ErrorCodeOverloaded, "%s", errStopping))
		return
	}
	defer leave()
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		s.serveSocket(w, r)
		return
	}
	defer s.hurry(w)()
	media := accepted(r)
	caller, bad := s.caller(r)
	if bad != nil {
		answer(w, media, bad)
		return
	}
	ctx, cancel, stop := until(withCaller(r.Context(), caller), s.hard)
	defer stop()
	defer s.vigil.watch(bearerOf(r), cancel)()
	s.serve(ctx, w, r, media)
}

// lastWord is how long a caller has to read his answer when the server ends.
const lastWord = time.Second

// hurry bounds the time in which a request must have come, and ends that time
// when the server does: a body that never comes holds nothing up. readRequest
// lifts the bound.
func (s *Server) hurry(w http.ResponseWriter) (stop func()) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(requestTime)) // where it is not supported, the server's own holds
	unhook := context.AfterFunc(s.hard, func() {
		_ = c.SetReadDeadline(time.Now())
		_ = c.SetWriteDeadline(time.Now().Add(lastWord))
	})
	return func() { unhook() }
}

// caller tells who asks, before anything that he sent is read.
func (s *Server) caller(r *http.Request) (dispatch.Caller, *refusal) {
	caller, err := s.desk.Authenticate(r.Context(), bearerOf(r))
	if err == nil {
		return caller, nil
	}
	if !errors.Is(err, dispatch.ErrUnauthenticated) {
		return caller, &refusal{http.StatusServiceUnavailable, gqlerror.List{s.present(r.Context(), err)}}
	}
	return caller, refuseRequest(http.StatusUnauthorized, gen.ErrorCodeUnauthenticated,
		"no token, or one that is unknown, expired or revoked; send the header Authorization: Bearer …")
}

func (s *Server) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, media string) {
	if media == "" {
		answer(w, mediaJSON, refuseRequest(http.StatusNotAcceptable, gen.ErrorCodeBadRequest,
			"answers are %s, %s or %s; accept one of them", mediaGraphQL, mediaJSON, mediaEvents))
		return
	}
	params, size, bad := readRequest(w, r)
	if bad != nil {
		answer(w, media, bad)
		return
	}
	op := s.prepare(ctx, params)
	defer op.done()
	if bad := op.allowed(r, media, size); bad != nil {
		answer(w, media, bad)
		return
	}
	if media == mediaEvents {
		op.serveEvents(ctx, w, r)
		return
	}
	write(w, media, http.StatusOK, op.run(ctx))
}

// allowed says why an operation may not run by this method, with this size, or
// with this media type. What cannot be executed at all is 400 to who knows
// GraphQL's own media type, 200 to who takes any JSON, and an event to who takes
// those.
func (op *operation) allowed(r *http.Request, media string, size int) *refusal {
	switch {
	case size > maxBody && !op.raisesOnly():
		bad := tooLarge(maxBody)
		op.refuse(bad.errs[0])
		return bad
	case op.refused != nil && media == mediaEvents:
		return nil
	case op.refused != nil && media == mediaJSON:
		return &refusal{http.StatusOK, op.refused}
	case op.refused != nil:
		return &refusal{http.StatusBadRequest, op.refused}
	case r.Method == http.MethodGet && op.is(ast.Mutation):
		op.refuse(refuse(gen.ErrorCodeBadRequest, "a mutation is not taken by GET; send it by POST"))
		return &refusal{http.StatusMethodNotAllowed, op.refused}
	case media != mediaEvents && op.is(ast.Subscription):
		op.refuse(refuse(gen.ErrorCodeBadRequest, "a subscription needs a stream; accept %s, or open a WebSocket with %s", mediaEvents, subprotocol))
		return &refusal{http.StatusNotAcceptable, op.refused}
	}
	return nil
}

func tooLarge(most int) *refusal {
	return refuseRequest(http.StatusRequestEntityTooLarge, gen.ErrorCodeRequestTooLarge,
		"has more than %d bytes; send less at once", most)
}

// readRequest reads what is to be executed, and how many bytes it had.
func readRequest(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, int, *refusal) {
	var object map[string]any
	var err error
	size := 0
	switch r.Method {
	case http.MethodGet:
		if r.ContentLength != 0 {
			return nil, 0, refuseRequest(http.StatusBadRequest, gen.ErrorCodeBadRequest, "a GET has no body; send the query in the address, or by POST")
		}
		object, err = readURL(r)
	case http.MethodPost:
		if !isJSON(r) {
			return nil, 0, refuseRequest(http.StatusUnsupportedMediaType, gen.ErrorCodeBadRequest, "the body must be %s in UTF-8", mediaJSON)
		}
		var body []byte
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxRaiseBody)); err != nil {
			return nil, 0, unread(err)
		}
		size = len(body)
		object, err = readJSON(body)
	default:
		return nil, 0, refuseRequest(http.StatusMethodNotAllowed, gen.ErrorCodeBadRequest, "only GET and POST are taken")
	}
	if err != nil {
		return nil, 0, unreadable(err)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // all has come; a stream may last
	params, err := paramsOf(object)
	if err != nil {
		return nil, 0, refuseRequest(http.StatusBadRequest, gen.ErrorCodeBadRequest, "%s", err)
	}
	return params, size, nil
}

// unreadable says why a request that came whole is not one.
func unreadable(err error) *refusal {
	if errors.Is(err, errManyValues) {
		return refuseRequest(http.StatusRequestEntityTooLarge, gen.ErrorCodeRequestTooLarge, "the request %s", err)
	}
	return refuseRequest(http.StatusBadRequest, gen.ErrorCodeBadRequest, "the request %s", err)
}

// unread says why a body did not come whole.
func unread(err error) *refusal {
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return tooLarge(maxRaiseBody)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuseRequest(http.StatusRequestTimeout, gen.ErrorCodeTimeout, "the body did not come within %s; send it again", requestTime)
	}
	return refuseRequest(http.StatusBadRequest, gen.ErrorCodeBadRequest, "the body ended too early; send it again")
}

// readURL reads a request from the parameters of an address.
func readURL(r *http.Request) (map[string]any, error) {
	object := map[string]any{}
	for name, values := range r.URL.Query() {
		switch name {
		case "query", "operationName":
			object[name] = values[0]
		case "variables", "extensions":
			value, err := readJSON([]byte(values[0]))
			if err != nil {
				return nil, err
			}
			object[name] = value
		}
	}
	return object, nil
}

func answer(w http.ResponseWriter, media string, bad *refusal) {
	if media != mediaGraphQL {
		media = mediaJSON
	}
	switch bad.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="tocsin"`)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", "GET, POST")
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		w.Header().Set("Connection", "close")
	}
	write(w, media, bad.status, errorsOnly(bad.errs...))
}

func write(w http.ResponseWriter, media string, status int, body []byte) {
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	c := http.NewResponseController(w)
	late := time.AfterFunc(requestTime, func() { _ = c.SetWriteDeadline(time.Now()) }) // a caller that does not read holds nothing up
	defer late.Stop()
	_, _ = w.Write(body) // JSON, and nothing is to be guessed of its type; a caller that is gone needs no answer
}
