package graph

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"tocsin/dispatch"
)

type callerKey struct{}

func withCaller(ctx context.Context, c dispatch.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf is who asks; without one, somebody who may nothing.
func callerOf(ctx context.Context) dispatch.Caller {
	c, _ := ctx.Value(callerKey{}).(dispatch.Caller)
	return c
}

// bearer is the token of an Authorization header; "" when it holds none.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func bearerOf(r *http.Request) string { return bearer(r.Header.Get("Authorization")) }

// watchEvery is how often the tokens in use are looked at again. With the
// second for which the desk believes an answer, it bounds how long a revoked
// token still works.
const watchEvery = 200 * time.Millisecond

// vigil ends what runs under a token when the token ends.
type vigil struct {
	authenticate func(ctx context.Context, token string) (dispatch.Caller, error)
	stop         context.CancelFunc
	done         chan struct{}

	mu      sync.Mutex
	running map[string]map[*context.CancelCauseFunc]struct{} // by token
}

// keepVigil looks at the tokens in use until end is called.
func keepVigil(authenticate func(ctx context.Context, token string) (dispatch.Caller, error)) *vigil {
	ctx, stop := context.WithCancel(context.Background())
	v := &vigil{
		authenticate: authenticate, stop: stop, done: make(chan struct{}),
		running: map[string]map[*context.CancelCauseFunc]struct{}{},
	}
	go v.keep(ctx)
	return v
}

// end stops the vigil and waits for it.
func (v *vigil) end() {
	v.stop()
	<-v.done
}

func (v *vigil) keep(ctx context.Context) {
	defer close(v.done)
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		for _, token := range v.inUse() {
			if _, err := v.authenticate(ctx, token); errors.Is(err, dispatch.ErrUnauthenticated) {
				v.cancel(token, err)
			}
		}
	}
}

// watch has cancel called with dispatch.ErrUnauthenticated when the token ends,
// until release is called.
func (v *vigil) watch(token string, cancel context.CancelCauseFunc) (release func()) {
	key := &cancel
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.running[token] == nil {
		v.running[token] = map[*context.CancelCauseFunc]struct{}{}
	}
	v.running[token][key] = struct{}{}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.running[token], key)
		if len(v.running[token]) == 0 {
			delete(v.running, token)
		}
	}
}

func (v *vigil) inUse() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	tokens := make([]string, 0, len(v.running))
	for token := range v.running {
		tokens = append(tokens, token)
	}
	return tokens
}

func (v *vigil) cancel(token string, cause error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for cancel := range v.running[token] {
		(*cancel)(cause)
	}
}
