package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// cure is what helps against a fault.
type cure int

const (
	none    cure = iota // nothing until a person acts
	again               // asking the same again later
	smaller             // asking for less at once
)

// fault is a request that did not do what was asked.
type fault struct {
	cure    cure
	text    string
	after   time.Duration // how long the server asked to wait
	expired bool          // the cursor is older than what the ledger keeps
}

// Error is safe to print on a terminal, whatever the server said.
func (f *fault) Error() string { return plain(f.text) }

// faultOf reads status and errors of an answer; nil when it is a good one. An
// unknown code counts as INTERNAL, as the contract says.
func (c *client) faultOf(status int, errs []graphError) *fault {
	var first graphError
	if len(errs) > 0 {
		first = errs[0]
	}
	code := first.Extensions.Code
	switch {
	case code == "UNAUTHENTICATED" || status == http.StatusUnauthorized:
		return c.unknownCaller()
	case code == "FORBIDDEN" || status == http.StatusForbidden:
		return &fault{text: fmt.Sprintf("the token may not do this; use one with the scope %s", c.scope)}
	case code == "REQUEST_TOO_LARGE" || status == http.StatusRequestEntityTooLarge:
		return &fault{cure: smaller, text: "is too large for the server"}
	case code == "CURSOR_EXPIRED":
		return &fault{expired: true, text: first.Message}
	case code == "BAD_REQUEST", code == "VALIDATION_FAILED" && len(first.Path) > 0 && first.Path[0] == "variable":
		return &fault{cure: smaller, text: first.Message}
	case code == "PARSE_FAILED", code == "VALIDATION_FAILED", code == "TOO_COMPLEX":
		return &fault{text: "the server does not know this request; use the tocsin of its version: " + first.Message}
	case len(errs) > 0:
		return &fault{cure: again, text: first.Message}
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return &fault{cure: again, text: fmt.Sprintf("the server answered %d %s", status, http.StatusText(status))}
	case status != http.StatusOK:
		return &fault{text: fmt.Sprintf("%s answered %d %s; check --server", c.endpoint, status, http.StatusText(status))}
	}
	return nil
}

// unknownCaller is the fault of a token that is not, or no longer, valid.
func (c *client) unknownCaller() *fault {
	return &fault{text: fmt.Sprintf("the server does not accept the token; it may be wrong, expired or revoked; use one with the scope %s", c.scope)}
}

// backoff spaces tries: each wait about twice the one before, up to most.
type backoff struct {
	least, most time.Duration
	tries       int
}

// next is how long to wait now, at least as long as the server asked for. The
// jitter, down to half, keeps many clients from coming back at once.
func (b *backoff) next(asked time.Duration) time.Duration {
	wait := min(b.least<<min(b.tries, 16), b.most)
	b.tries++
	return max(wait/2+rand.N(wait/2), asked) //nolint:gosec // jitter keeps no secret
}

// pause waits, and tells when ctx ended first.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
