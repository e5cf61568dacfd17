// Package preset makes an actor of a service that takes an alert as one HTTP
// request: the service says what the request looks like and which answers need a
// person, and the engine does the rest. It knows no service; each has a folder
// of its own. What takes more than one request, or tells us something by itself,
// is not a preset.
package preset

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Service is what is particular to a service; S are the settings of its actors,
// C those of its API configs.
type Service[S, C any] struct {
	// Check is what the tags of the settings cannot say.
	Check func(s *S) error
	// Secrets are what must not show in a record; an address that is a credential
	// is given to Address instead.
	Secrets func(s *S) []string
	// Request is an alert; an error of it is a setting that cannot be used.
	Request func(s *S, c *C, p dispatch.Parcel) (Request, error)
	// Remedies are the HTTP statuses after which a person must act, each with what
	// to do.
	Remedies map[int]string
	// Blame is the same where the status alone does not say it: what to do after
	// this answer; "" leaves it to the status. Nil when no answer needs it.
	Blame func(status int, body []byte) string
	// Wait is how long an answer of status 429 asks to wait in its body; 0 leaves
	// it to Retry-After.
	Wait func(body []byte) time.Duration
	// Ref is what the service calls the message; nil when nothing follows it.
	Ref func(s *S, c *C, body []byte) (dispatch.Ref, error)
	// Update is a ticket's status, sent to the message that Ref describes.
	Update func(s *S, c *C, u dispatch.StatusUpdate) (Request, error)
	// IsGone tells that the message to update is not there any more.
	IsGone func(status int, body []byte) bool
	// IsSame tells that the message shows already what the update would.
	IsSame func(status int, body []byte) bool
	// Test is a request that sends nothing to anybody; nil when there is none.
	Test func(s *S) (Request, error)
}

// Kind completes a kind of the notice board with what the service does.
func Kind[S, C any](k dispatch.Kind, service Service[S, C]) dispatch.Kind {
	k.Description += " Built from the service's documentation, and not run against a live account."
	k.Capabilities = []dispatch.Capability{dispatch.CanDeliver}
	if service.Update != nil {
		k.Capabilities = append(k.Capabilities, dispatch.CanUpdate)
	}
	k.Open = func(settings any, w dispatch.World) (dispatch.Messenger, error) {
		s, ok := settings.(*S)
		if !ok {
			return nil, fmt.Errorf("open %s: settings are %T", k.Name, settings)
		}
		if err := service.Check(s); err != nil {
			return nil, err
		}
		m := messenger[S, C]{service: service, settings: s, world: w, mask: call.Hide(service.Secrets(s)...)}
		switch {
		case service.Update != nil:
			return updater[S, C]{tester[S, C]{m}}, nil
		case service.Test != nil:
			return tester[S, C]{m}, nil
		default:
			return m, nil
		}
	}
	return k
}

type messenger[S, C any] struct {
	service  Service[S, C]
	settings *S
	world    dispatch.World
	mask     call.Mask
}

// Deliver sends the alert once.
func (m messenger[S, C]) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	config, ok := p.Settings.(*C)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of this kind", p.Settings))
	}
	r, err := m.service.Request(m.settings, config, p)
	if err != nil {
		return dispatch.Refused(err)
	}
	c, out := m.send(ctx, r)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if m.service.Ref == nil {
		return dispatch.Delivered(dispatch.Ref{Loose: true}).Over(c.Exchange())
	}
	ref, err := m.service.Ref(m.settings, config, c.Body())
	if err != nil { // it has arrived, and nothing can follow it
		ref = dispatch.Ref{Loose: true}
	}
	if p.Ticket != nil {
		ref.Shows = p.Ticket.Status
	}
	return dispatch.Delivered(ref).Over(c.Exchange())
}

func (m messenger[S, C]) send(ctx context.Context, r Request) (*call.Call, dispatch.Outcome) {
	c := call.New(m.world.HTTP, m.mask)
	request, err := r.http(ctx)
	if err != nil {
		return c, dispatch.Refused(c.Masked("make the request: " + err.Error()))
	}
	response, err := c.Do(request)
	if err == nil {
		defer response.Body.Close()
	}
	return c, m.judge(c)
}

func (m messenger[S, C]) judge(c *call.Call) dispatch.Outcome {
	out := c.Outcome()
	remedy := m.service.Remedies[c.Status()]
	if m.service.Blame != nil {
		remedy = cmp.Or(m.service.Blame(c.Status(), c.Body()), remedy)
	}
	if remedy != "" {
		return dispatch.Misconfigured(c.Error(remedy)).Over(c.Exchange())
	}
	if c.Status() == http.StatusTooManyRequests && m.service.Wait != nil {
		if wait := m.service.Wait(c.Body()); wait > 0 {
			return out.After(min(wait, 24*time.Hour))
		}
	}
	return out
}

// tester is a messenger of a service that can be asked whether it would work.
type tester[S, C any] struct{ messenger[S, C] }

// Test logs in and sends nothing.
func (m tester[S, C]) Test(ctx context.Context) dispatch.Outcome {
	r, err := m.service.Test(m.settings)
	if err != nil {
		return dispatch.Refused(err)
	}
	_, out := m.send(ctx, r)
	return out
}

// updater is a messenger of a service whose messages can be changed.
type updater[S, C any] struct{ tester[S, C] }

// Update makes the message show the ticket as it is now.
func (m updater[S, C]) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	config, ok := u.Settings.(*C)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of this kind", u.Settings))
	}
	r, err := m.service.Update(m.settings, config, u)
	if err != nil {
		return dispatch.Refused(err)
	}
	c, out := m.send(ctx, r)
	switch {
	case m.service.IsSame != nil && m.service.IsSame(c.Status(), c.Body()):
		return dispatch.Delivered(dispatch.Ref{}).Over(c.Exchange())
	case m.service.IsGone(c.Status(), c.Body()):
		return dispatch.Refused(c.Error("the message is not there any more")).Over(c.Exchange()).Gone()
	default:
		return out
	}
}
