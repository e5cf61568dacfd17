package preset

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Request is one HTTP request.
type Request struct {
	Method string
	URL    string
	Header map[string]string
	Body   []byte
	// User and Password are those of Basic authentication; none when both are "".
	User, Password string
}

// JSON is a POST of a value that always marshals.
func JSON(address string, v any) (Request, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // no browser reads this, and the texts are longer by it
	if err := encoder.Encode(v); err != nil {
		return Request{}, err
	}
	return Request{
		Method: http.MethodPost, URL: address, Header: map[string]string{"Content-Type": "application/json"},
		Body: bytes.TrimSpace(text.Bytes()),
	}, nil
}

// Form is a POST of fields; those without a value are left out.
func Form(address string, fields map[string]string) Request {
	form := url.Values{}
	for name, value := range fields {
		if value != "" {
			form.Set(name, value)
		}
	}
	return Request{
		Method: http.MethodPost, URL: address,
		Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, Body: []byte(form.Encode()),
	}
}

// With is the request with a header more.
func (r Request) With(name, value string) Request {
	header := map[string]string{name: value}
	maps.Copy(header, r.Header)
	r.Header = header
	return r
}

func (r Request) http(ctx context.Context) (*http.Request, error) {
	out, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for name, value := range r.Header {
		out.Header.Set(name, value)
	}
	if r.User != "" || r.Password != "" {
		out.SetBasicAuth(r.User, r.Password)
	}
	return out, nil
}

// CheckURL says what is wrong with an address, naming the field.
func CheckURL(field, address string) error {
	_, err := call.Address(field, address)
	return err
}

// CheckWord says that a secret which goes into a header or an address holds what
// cannot stand there.
func CheckWord(field string, secret dispatch.Secret) error {
	if strings.ContainsFunc(string(secret), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets."+field, "holds a space or a character that no such secret has; copy it again")
	}
	return nil
}

// Address is what is secret of an address that is a credential: all but the host.
func Address(address dispatch.Secret) []string {
	u, err := url.Parse(string(address))
	if err != nil {
		return []string{string(address)}
	}
	secrets := []string{u.RequestURI(), u.EscapedPath(), u.Path}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if len(segment) >= 16 { // a token; what is shorter is a word such as "services"
			secrets = append(secrets, segment)
		}
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	return secrets
}

// Join is an address with a path behind it.
func Join(address, path string) string { return strings.TrimSuffix(address, "/") + path }

// Seconds are a number of seconds with a fraction, as a service gives them; a
// number that is none of time is 0.
func Seconds(n float64) time.Duration {
	if !(n > 0) { // not a number is not above 0 either
		return 0
	}
	return time.Duration(min(n, 24*60*60) * float64(time.Second))
}

// Says tells whether a field of a JSON answer is a text that begins so.
func Says(body []byte, field, text string) bool {
	var all map[string]any
	_ = json.Unmarshal(body, &all) // an answer of somebody else says nothing
	said, _ := all[field].(string)
	return text != "" && strings.HasPrefix(said, text)
}

// Number is a field of a JSON answer that is a number; 0 when it is not there.
func Number(body []byte, field string) float64 {
	var all map[string]any
	_ = json.Unmarshal(body, &all) // an answer of somebody else says nothing
	n, _ := all[field].(float64)
	return n
}
