// Package call turns one HTTP call into one outcome: it remembers whether the
// request was written, drains and caps the answer, keeps Retry-After, and masks
// secrets in all that it hands on. It retries nothing and knows no vendor; what
// an answer means beyond its status is for the kind to say.
package call

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"tocsin/dispatch"
)

// Call is one HTTP call, made by hand or by a vendor's library that takes a
// client with a Do method. Use it once, in one goroutine.
type Call struct {
	client *http.Client
	mask   Mask
	host   string
	kept   dispatch.Exchange
	made   bool
	most   int64             // bytes of the answer that are looked at
	failed *dispatch.Outcome // of a call without an answer

	status int
	header http.Header
	body   []byte
	broken error
}

// maxAnswer is how much of an answer is looked at, unless UpTo says more; of what
// is beyond, at most maxDrain is read so that the connection can be used again.
const (
	maxAnswer = 64 << 10
	maxDrain  = 256 << 10
)

// New prepares a call through a guarded client; the mask is applied to
// everything that leaves the call.
func New(client *http.Client, mask Mask) *Call {
	return &Call{client: client, mask: mask, most: maxAnswer}
}

// UpTo lets the call look at more of the answer: a list of a thousand things is
// longer than an answer to a message. What is recorded stays as short.
func (c *Call) UpTo(bytes int64) *Call {
	c.most = bytes
	return c
}

// Do sends the request and reads the answer, at most 64 KiB of it unless UpTo says more, whose body
// the response then repeats. An error here is also the call's Outcome.
func (c *Call) Do(r *http.Request) (*http.Response, error) {
	body, err := take(r)
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	var w writing
	r = r.Clone(httptrace.WithClientTrace(r.Context(), w.trace()))
	r.Body, r.GetBody = io.NopCloser(bytes.NewReader(body)), nil
	r.ContentLength = int64(len(body))
	if len(body) == 0 {
		r.Body = http.NoBody
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "Tocsin")
	}
	c.made, c.host, c.kept.Request = true, r.URL.Host, c.mask.request(r, body)
	response, err := c.client.Do(r) //nolint:gosec // the address is the user's on purpose; the client is guarded
	if err != nil {
		out := lost(c.host, c.mask, err, w.begun())
		c.failed = &out
		return nil, out.Err()
	}
	c.read(response)
	return response, nil
}

func take(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

func (c *Call) read(response *http.Response) {
	body := response.Body
	defer body.Close()
	c.status, c.header = response.StatusCode, response.Header
	c.body, c.broken = io.ReadAll(io.LimitReader(body, c.most))
	if c.broken == nil {
		_, _ = io.CopyN(io.Discard, body, maxDrain) // the answer is known; this only saves the connection
	}
	c.kept.HTTPStatus = c.status
	c.kept.Response = dispatch.Cut(c.mask.Text(string(c.body[:min(len(c.body), maxAnswer)])), maxResponse)
	response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(c.body), brokenReader{c.broken}))
}

// brokenReader ends a body as the original ended.
type brokenReader struct{ err error }

// Read gives nothing.
func (b brokenReader) Read([]byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

// Status is the HTTP status, 0 without an answer.
func (c *Call) Status() int { return c.status }

// Header is the answer's header, nil without an answer.
func (c *Call) Header() http.Header { return c.header }

// Body is the beginning of the answer's body as it came, secrets included.
func (c *Call) Body() []byte { return c.body }

// Exchange is what went over the wire, secrets masked.
func (c *Call) Exchange() dispatch.Exchange { return c.kept }

// writing remembers how far the request got.
type writing struct{ state atomic.Int32 }

const (
	writingBegun = iota + 1
	writingDone
	writingFailed
)

func (w *writing) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		WroteHeaders: func() { w.state.CompareAndSwap(0, writingBegun) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err != nil {
				w.state.Store(writingFailed)
				return
			}
			w.state.Store(writingDone)
		},
	}
}

// begun tells whether the receiver may have the whole request. One whose end
// was not seen written counts: the context can end between the write and the
// report of it.
func (w *writing) begun() bool {
	state := w.state.Load()
	return state == writingBegun || state == writingDone
}
