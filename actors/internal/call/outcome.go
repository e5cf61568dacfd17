package call

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"

	"tocsin/dispatch"
)

// Outcome is what transport and status say: 2xx is delivered; 408, 425, 429 and
// 5xx are deferred, for as long as Retry-After asks; all else is refused, and a
// redirect is not followed. A connection that was not made is deferred, one
// that broke after the request was written leaves it uncertain; what the guard
// refuses and a certificate that does not hold need a person.
func (c *Call) Outcome() dispatch.Outcome {
	switch {
	case !c.made:
		return dispatch.Deferred(errors.New("no request was made"))
	case c.failed != nil:
		return c.failed.Over(c.kept)
	case c.status >= 200 && c.status < 300:
		return dispatch.Delivered(dispatch.Ref{}).Over(c.kept)
	case Passing(c.status):
		return dispatch.Deferred(c.Error("")).After(c.Wait()).Over(c.kept)
	case c.status >= 300 && c.status < 400:
		return dispatch.Refused(c.Error("redirects are not followed; give the address that it leads to")).Over(c.kept)
	default:
		return dispatch.Refused(c.Error("")).Over(c.kept)
	}
}

// Passing tells whether an HTTP status is one that passes with time.
func Passing(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly ||
		status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

// Error says what the receiver answered, and a remedy; without one, the
// beginning of the answer. Secrets are masked.
func (c *Call) Error(remedy string) error {
	text := fmt.Sprintf("%s answered %d %s", c.host, c.status, http.StatusText(c.status))
	if remedy == "" {
		remedy = dispatch.Cut(strings.Join(strings.Fields(c.mask.Text(string(c.body))), " "), 300)
	}
	if remedy != "" {
		text += ": " + remedy
	}
	return c.Masked(strings.ToValidUTF8(text, "?"))
}

// Masked is an error of a text without the secrets. It wraps nothing, so that
// nothing hides in it.
func (c *Call) Masked(text string) error { return errors.New(c.mask.Text(text)) }

// Wait is the time that Retry-After asks for, at most a day; 0 when there is
// none that can be read. Source: RFC 9110, section 10.2.3.
func (c *Call) Wait() time.Duration {
	const most = 24 * time.Hour
	text := strings.TrimSpace(c.header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(most/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), most)
	}
	return 0
}

// Unreached is the outcome of a connection to a host that was not made.
func Unreached(host string, mask Mask, err error) dispatch.Outcome {
	return lost(host, mask, err, false)
}

func lost(host string, mask Mask, err error, written bool) dispatch.Outcome {
	problem := errors.New(mask.Text(strings.ToValidUTF8(host+": "+reason(err), "?")))
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork), errors.As(err, &certificate):
		return dispatch.Misconfigured(problem)
	case written:
		return dispatch.Unsure(problem)
	default:
		return dispatch.Deferred(problem)
	}
}

// reason is an error without the address, which may hold credentials.
func reason(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in the time given"
	}
	return err.Error()
}

// Address checks an address that a person configured; the error is a
// *dispatch.Refusal of the field.
func Address(field, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, dispatch.Refuse(dispatch.CodeInvalid, field, "is not a web address; give one such as https://hooks.example.com/alerts")
	case u.User != nil:
		return nil, dispatch.Refuse(dispatch.CodeInvalid, field, "holds a user name or password; take them out and give credentials as secrets")
	default:
		return u, nil
	}
}
