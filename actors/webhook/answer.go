package webhook

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// judge is what an answer means beside what HTTP says. 410 ends the address for
// good, until a person gives another (Standard Webhooks, "Status codes"); a
// receiver may stop the retries of one message by a header, as at Svix
// (docs.svix.com, retries).
func judge(c *call.Call) dispatch.Outcome {
	out := c.Outcome()
	failed := c.Status() >= http.StatusMultipleChoices
	switch {
	case c.Status() == http.StatusGone:
		return dispatch.Misconfigured(c.Error("the receiver is gone for good; change settings.url, or take the actor out of its actions")).Over(c.Exchange())
	case failed && c.Header().Get("Webhook-Delivery") == "abort-message":
		return dispatch.Refused(c.Error("the receiver asks not to send this again")).Over(c.Exchange())
	default:
		return out
	}
}

// said is what a receiver may tell of what it made, as JSON; nothing of it must
// be there.
type said struct {
	ID  json.RawMessage `json:"id"`
	URL string          `json:"url"`
}

// refOf names the copy by the ticket, so that it is the same for all its alerts,
// and beside that as the receiver does.
func refOf(t *dispatch.Ticket, s *ConfigSettings, body []byte) dispatch.Ref {
	if t == nil {
		return dispatch.Ref{Loose: true}
	}
	ref := dispatch.Ref{ID: t.ID, Shows: t.Status, Loose: !s.follows()}
	var a said
	if json.Unmarshal(body, &a) != nil {
		return ref
	}
	if id := a.name(); id != "" && len(id) <= maxID {
		ref.Also = []string{id}
	}
	u, err := url.Parse(a.URL)
	if err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http") && len(a.URL) <= 2000 {
		ref.URL = a.URL
	}
	return ref
}

// name is the id, which may be a text or a number.
func (s said) name() string {
	var text string
	var number json.Number
	_ = json.Unmarshal(s.ID, &text) // what is no text may be a number
	_ = json.Unmarshal(s.ID, &number)
	return cmp.Or(text, number.String())
}
