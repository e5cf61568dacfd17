package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tocsin/dispatch"
)

// taking is how changes get into the books.
type taking func(context.Context, []dispatch.StatusChange) error

// ending is why a connection is not to be counted on any more.
type ending struct {
	isRefresh bool // Slack will close it soon and wants another one
	outcome   dispatch.Outcome
}

// Listens tells whether the actor has a token for Socket Mode.
func (m *messenger) Listens() bool { return m.settings.AppToken != "" }

// Listen brings clicks in over a WebSocket that this server opens, so that it
// needs no public address. When Slack says that it will close a connection, the
// next one is made before that.
// Source: docs.slack.dev, Socket Mode.
func (m *messenger) Listen(ctx context.Context, take func(context.Context, []dispatch.StatusChange) error) dispatch.Outcome {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.ask(ctx)
	pace := rate.NewLimiter(rate.Every(5*time.Second), 3) // a server that asks to refresh all the time is not followed faster
	for {
		if pace.Wait(ctx) != nil {
			return dispatch.Deferred(errors.New("slack: the listening was ended"))
		}
		c, out := m.connect(ctx)
		if c == nil {
			return out
		}
		over := make(chan ending, 1)
		all.Go(func() {
			c.serve(ctx, m.handler(take), func(e ending) {
				select {
				case over <- e:
				default: // the first reason counts
				}
			})
		})
		if e := <-over; !e.isRefresh {
			return e.outcome
		}
	}
}

// address asks Slack where to connect. The address is good for one connection,
// and is a secret.
func (m *messenger) address(ctx context.Context) (string, dispatch.Outcome) {
	c := m.call()
	_, address, err := m.client(c).StartSocketModeContext(ctx)
	out := judge(c, err)
	switch {
	case out.Kind() == dispatch.OutcomeDelivered && strings.HasPrefix(m.url, "https:") && !strings.HasPrefix(address, "wss:"):
		return "", dispatch.Deferred(errors.New("slack gave no address that is encrypted"))
	case out.Kind() == dispatch.OutcomeDelivered && address != "":
		return address, dispatch.Delivered(dispatch.Ref{})
	case slices.Contains(credential, code(err)), code(err) == "missing_scope":
		return "", dispatch.Misconfigured(fmt.Errorf("slack: %s: secrets.appToken is not accepted; make a token with the scope connections:write under Basic Information", code(err)))
	case out.Kind() == dispatch.OutcomeRefused:
		return "", dispatch.Misconfigured(fmt.Errorf("%w: turn on Socket Mode in the app's settings, or take secrets.appToken out", out.Err()))
	case out.Kind() == dispatch.OutcomeDeferred, out.Kind() == dispatch.OutcomeMisconfigured:
		return "", out
	default:
		return "", dispatch.Deferred(errors.New("slack gave no address to connect to"))
	}
}
