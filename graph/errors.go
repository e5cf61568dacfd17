package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/internal/scalar"
)

// Limits of what an answer says of errors.
const (
	maxErrors       = 10
	maxErrorMessage = 300 // bytes
	retryAfter      = 1   // seconds, in `extensions`: when to ask again after OVERLOADED
)

// errStopping is the cause of what ends because the server does.
var errStopping = errors.New("the server is stopping; ask again in a moment")

// refuse makes a top-level error with a code.
func refuse(code gen.ErrorCode, format string, args ...any) *gqlerror.Error {
	return &gqlerror.Error{Message: fmt.Sprintf(format, args...), Extensions: map[string]any{"code": code}}
}

// told says what a caller hears of an error; ok is false when it is a fault of
// the server, of which he hears nothing but an id.
func told(ctx context.Context, err error) (code gen.ErrorCode, message string, ok bool) {
	var invalid scalar.Invalid
	switch {
	case errors.As(err, &invalid):
		return gen.ErrorCodeBadRequest, err.Error(), true
	case errors.Is(err, dispatch.ErrCursorExpired):
		return gen.ErrorCodeCursorExpired, dispatch.ErrCursorExpired.Error(), true
	case errors.Is(err, dispatch.ErrCursor):
		return gen.ErrorCodeBadRequest, dispatch.ErrCursor.Error(), true
	case errors.Is(err, dispatch.ErrOutcomeUnknown):
		return gen.ErrorCodeOutcomeUnknown, dispatch.ErrOutcomeUnknown.Error(), true
	case errors.Is(err, dispatch.ErrUnavailable):
		return gen.ErrorCodeOverloaded, "the database cannot take this now; ask again in a moment, with the same idempotency key", true
	case errors.Is(err, dispatch.ErrOverloaded):
		return gen.ErrorCodeOverloaded, dispatch.ErrOverloaded.Error(), true
	case errors.Is(err, dispatch.ErrStale):
		return gen.ErrorCodeOverloaded, "the configuration changes faster than this can be worked out; ask again in a moment", true
	case errors.Is(err, dispatch.ErrUnauthenticated), errors.Is(context.Cause(ctx), dispatch.ErrUnauthenticated):
		return gen.ErrorCodeUnauthenticated, dispatch.ErrUnauthenticated.Error(), true
	case errors.Is(context.Cause(ctx), errStopping):
		return gen.ErrorCodeOverloaded, errStopping.Error(), true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return gen.ErrorCodeTimeout, "took longer than " + requestTime.String() + "; ask for less", true
	case errors.Is(ctx.Err(), context.Canceled):
		return gen.ErrorCodeTimeout, "the caller gave up", true
	}
	return gen.ErrorCodeInternal, "", false
}

// present makes what the caller hears of an error in a field. What is not his
// to correct is logged under an id, and he hears the id only.
func (s *Server) present(ctx context.Context, err error) *gqlerror.Error {
	out := &gqlerror.Error{}
	if given, ok := errors.AsType[*gqlerror.Error](err); ok {
		if given.Extensions["code"] != nil {
			return given
		}
		out.Path, out.Locations = given.Path, given.Locations
		if given.Err != nil {
			err = given.Err
		}
	}
	code, message, ok := told(ctx, err)
	out.Extensions = map[string]any{"code": code}
	out.Message = message
	if code == gen.ErrorCodeOverloaded {
		out.Extensions["retryAfter"] = retryAfter
	}
	if ok {
		return out
	}
	id := dispatch.NewID("err")
	s.o.Log.LogAttrs(ctx, slog.LevelError, "an operation failed",
		slog.String("errorId", id), slog.String("path", out.Path.String()), slog.Any("error", err))
	out.Message = "the server failed; its log says why under the errorId"
	out.Extensions["errorId"] = id
	return out
}

// recovered makes an error of a panic, with the stack for the log.
func recovered(_ context.Context, p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }

// limited cuts a list of errors to what an answer may hold.
func limited(list gqlerror.List) gqlerror.List {
	if len(list) > maxErrors {
		list = list[:maxErrors]
	}
	for _, err := range list {
		if len(err.Path.String()) > maxErrorMessage { // it names what was sent
			err.Path = nil
		}
		if _, ours := err.Extensions["code"].(gen.ErrorCode); !ours {
			code := ourCode(err.Extensions["code"])
			err.Extensions = map[string]any{"code": code}
			err.Message = quiet(code, err.Message)
		}
		err.Message = dispatch.Cut(err.Message, maxErrorMessage)
	}
	return list
}

// quiet leaves out of a library's message the value that was found instead of
// another: it may be a secret.
func quiet(code gen.ErrorCode, message string) string {
	if code == gen.ErrorCodeParseFailed {
		message, _, _ = strings.Cut(message, ` "`)
	}
	for _, before := range []string{", found ", " value: "} {
		if said, value, ok := strings.Cut(message, before); ok && !strings.HasPrefix(value, "null") {
			message = said + ", found something else"
		}
	}
	if _, typ, ok := strings.Cut(message, " is not a valid "); ok {
		message = "is not a valid " + typ
	}
	return message
}

// ourCode is the code of an error that a library made before anything ran.
func ourCode(code any) gen.ErrorCode {
	if code == errcode.ParseFailed {
		return gen.ErrorCodeParseFailed
	}
	return gen.ErrorCodeValidationFailed
}
