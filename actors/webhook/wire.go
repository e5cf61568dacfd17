package webhook

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The forms in which an event is sent.
const (
	standard   = "standard"
	structured = "cloudevents-structured"
	binary     = "cloudevents-binary"
)

// letter is an event as it goes over the wire.
type letter struct {
	header map[string]string
	body   []byte
}

// cloudEvent is an event in the structured mode of CloudEvents 1.0.
// Source: cloudevents.io, specification 1.0.2, JSON event format and HTTP binding.
type cloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            any       `json:"data"`
}

const specVersion = "1.0"

// write puts an event into its form. In all of them the id is the webhook-id,
// and what is signed is the body.
func (e event) write(form, instance string) (letter, error) {
	switch form {
	case structured:
		body, err := encode(cloudEvent{
			SpecVersion: specVersion, ID: e.id, Source: source(instance), Type: e.name, Subject: e.subject,
			Time: e.at.UTC(), DataContentType: "application/json", Data: e.data,
		})
		return letter{map[string]string{"Content-Type": "application/cloudevents+json; charset=utf-8"}, body}, err
	case binary:
		body, err := encode(e.data)
		return letter{map[string]string{
			"Content-Type": "application/json", "ce-specversion": specVersion, "ce-id": attribute(e.id),
			"ce-source": attribute(source(instance)), "ce-type": attribute(e.name), "ce-subject": attribute(e.subject),
			"ce-time": e.at.UTC().Format(time.RFC3339Nano),
		}, body}, err
	case standard:
		body, err := encode(envelope{Type: e.name, Timestamp: e.at.UTC(), Data: e.data})
		return letter{map[string]string{"Content-Type": "application/json"}, body}, err
	default:
		return letter{}, fmt.Errorf("settings.envelope %q is not known", form)
	}
}

// source names this server: a URI-reference, as CloudEvents asks for.
func source(instance string) string { return "/tocsin/" + url.PathEscape(instance) }

// attribute is a text as the value of a ce- header: what is not printable ASCII,
// and space, quote and percent, are percent-encoded.
// Source: CloudEvents HTTP protocol binding 1.0.2, section 3.1.3.2.
func attribute(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		if b <= ' ' || b > '~' || b == '"' || b == '%' {
			fmt.Fprintf(&out, "%%%02X", b)
			continue
		}
		out.WriteByte(b)
	}
	return out.String()
}
