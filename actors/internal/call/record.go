package call

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"tocsin/dispatch"
)

// Limits of what a record keeps, in bytes.
const (
	maxRequest  = 32 << 10
	maxResponse = 4 << 10
)

// record is a request as the attempt shows it.
type record struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body,omitempty"`
}

// shown are the headers whose values are no secrets; of all others only the
// name is kept.
var shown = map[string]bool{
	"Accept": true, "Content-Type": true, "User-Agent": true,
	"Webhook-Id": true, "Webhook-Timestamp": true, "Webhook-Signature": true,
}

func (m Mask) request(r *http.Request, body []byte) dispatch.JSON {
	text := m.Text(string(body))
	rec := record{Method: r.Method, URL: m.Text(Plain(r.URL)), Headers: map[string]string{}}
	for name, values := range r.Header {
		rec.Headers[name] = stars
		if shown[name] {
			rec.Headers[name] = m.Text(strings.Join(values, ", "))
		}
	}
	if len(text) <= maxRequest {
		if text != "" {
			rec.Body = readable(text, r.Header.Get("Content-Type"))
		}
		if kept, err := json.Marshal(rec); err == nil && len(kept) <= maxRequest {
			return kept
		}
	}
	return rec.cut(text)
}

// readable is a body as a person wants to see it: JSON as JSON, a form as an
// object.
func readable(text, contentType string) any {
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(text); err == nil {
			fields := map[string]string{}
			for name, values := range form {
				fields[name] = strings.Join(values, ", ")
			}
			return fields
		}
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

// cut keeps as much of the body as fits, which depends on how much of it must
// be escaped.
func (rec record) cut(text string) dispatch.JSON {
	for room := maxRequest / 2; room > 0; room /= 2 {
		rec.Body = dispatch.Cut(text, room)
		if kept, err := json.Marshal(rec); err == nil && len(kept) <= maxRequest {
			return kept
		}
	}
	return nil
}

// Plain is an address without what may be a credential: user, password and the
// values of the query.
func Plain(u *url.URL) string {
	plain := *u
	plain.User, plain.Fragment = nil, ""
	if plain.RawQuery == "" {
		return plain.String()
	}
	var query []string
	for part := range strings.SplitSeq(plain.RawQuery, "&") {
		name, _, found := strings.Cut(part, "=")
		if found {
			name += "=" + stars
		}
		query = append(query, name)
	}
	plain.RawQuery = strings.Join(query, "&")
	return plain.String()
}
