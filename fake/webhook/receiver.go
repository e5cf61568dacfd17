// Package webhook is a receiver of webhooks as a careful user would write one: it takes each message once, counts the
// copies, and, given keys, lets in only what carries a Standard Webhooks signature. It does not read the body. A Callback is what it
// sends back.
package webhook

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"tocsin/fake"
)

// Options of a receiver.
type Options struct {
	// Secrets are the whsec_ secrets and whpk_ public keys of which one must have signed; none means that signatures are
	// not looked at.
	Secrets []string
}

// Delivery is a message that the receiver took.
type Delivery struct {
	ID      string // its webhook-id; messages without one are never copies of each other
	Body    []byte // of the first copy
	Copies  int    // how often it was taken
	Changed bool   // a later copy had another body
}

// Receiver answers 200 with an empty body to every message, or 401 to one whose signature is not good.
type Receiver struct {
	*fake.Server
	secrets []string

	mu    sync.Mutex
	taken []Delivery
	place map[string]int // in taken, by webhook-id
}

// New makes a receiver; Start or Serve opens it.
func New(o Options) *Receiver {
	r := &Receiver{secrets: o.Secrets, place: map[string]int{}}
	r.Server = fake.NewServer(http.HandlerFunc(r.take))
	return r
}

// Taken returns the messages in the order of their first copies. What a script refused is not among them, unless the
// step said Apply.
func (r *Receiver) Taken() []Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

func (r *Receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if len(r.secrets) > 0 {
		if err := Verify(r.secrets, req.Header, body, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
	}
	r.note(req.Header.Get("webhook-id"), body)
}

func (r *Receiver) note(id string, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := r.place[id]; ok {
		d := &r.taken[i]
		d.Copies++
		d.Changed = d.Changed || !bytes.Equal(d.Body, body)
		return
	}
	if id != "" {
		r.place[id] = len(r.taken)
	}
	r.taken = append(r.taken, Delivery{ID: id, Body: body, Copies: 1})
}
