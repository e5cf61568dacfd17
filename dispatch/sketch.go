package dispatch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
)

// RenderedRequest is what would be sent through an API config, secrets masked.
type RenderedRequest struct {
	APIConfigID   string
	APIConfigName string
	Request       JSON    // an object; {} when nothing would be
	Problem       *string // why it would not be sent, or what was passed over
}

// sketch works out what a delivery would send, with the real messenger in a
// world that lets nothing be written. Only who may configure the actor has it
// look something up.
func (d *Desk) sketch(ctx context.Context, c Caller, config APIConfig, actor Actor, a Alert, t *Ticket) RenderedRequest {
	out := RenderedRequest{APIConfigID: config.ID, APIConfigName: config.Name, Request: JSON("{}")}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	kind, _ := d.Kind(config.Kind)
	parcel := Parcel{DeliveryID: NewID(PrefixDelivery), Attempt: 1, Alert: a, Ticket: t}
	if t != nil {
		parcel.TicketURL = d.TicketURL(t.ID)
	}
	rendered, problems := d.render(ctx, kind, config.Settings, a, t, parcel.TicketURL)
	for _, problem := range problems {
		out.trouble(problem)
	}
	var err error
	if parcel.Settings, err = Unpack(kind.ConfigSettings, rendered); err != nil {
		out.trouble(err.Error())
		return out
	}
	dry := &dryWorld{real: d.world.HTTP}
	if c.May(ScopeConfigure) {
		dry.reads = kind.Reads
	}
	messenger, err := d.openIn(dry.world(d.world), kind, actor)
	if err != nil {
		out.trouble("the actor cannot be used: " + err.Error())
		return out
	}
	l := line{desk: d, id: "in a dry run"}
	outcome := l.guarded(func() Outcome {
		if sketcher, ok := messenger.(Sketcher); ok {
			return sketcher.Sketch(ctx, parcel)
		}
		return messenger.Deliver(ctx, parcel)
	})
	out.take(outcome, dry)
	return out
}

func (r *RenderedRequest) trouble(text string) {
	if r.Problem != nil {
		text = *r.Problem + "; " + text
	}
	r.Problem = &text
}

// take keeps what a messenger would have sent. That it was not let is no problem.
func (r *RenderedRequest) take(o Outcome, dry *dryWorld) {
	switch {
	case dry.note.Load() != nil:
		r.Request = written(dry.note.Load())
	case o.Note() != "":
		r.Request = written(map[string]string{"would": o.Note()})
	case len(o.Exchange().Request) > 0:
		r.Request = o.Exchange().Request
	}
	if err := o.Err(); err != nil && !dry.stopped.Load() {
		r.trouble(err.Error())
	}
}

// errDryRun ends what would have been written.
var errDryRun = errors.New("this is a dry run: nothing is sent")

// dryWorld is a world in which nothing can be written.
type dryWorld struct {
	reads   func(*http.Request) bool
	real    *http.Client
	stopped atomic.Bool
	note    atomic.Pointer[Notification]
}

func (w *dryWorld) world(of World) World {
	of.HTTP = &http.Client{Transport: w, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	of.Dial = func(context.Context, string, string) (net.Conn, error) {
		w.stopped.Store(true)
		return nil, errDryRun
	}
	of.Notify = func(_ context.Context, n Notification) error {
		w.note.Store(&n)
		return nil
	}
	return of
}

// RoundTrip makes a request that only reads, and stops any other.
func (w *dryWorld) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.reads != nil && w.reads(r) {
		return w.real.Do(r) //nolint:wrapcheck,gosec // a transport hands on what it gets; the client is guarded
	}
	w.stopped.Store(true)
	return nil, errDryRun
}
