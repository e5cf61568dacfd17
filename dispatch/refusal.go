package dispatch

import (
	"errors"
	"strings"
)

// UserErrorCode is the kind of a problem that the caller can correct.
type UserErrorCode string

// The codes of user errors, as the schema describes them.
const (
	CodeRequired             UserErrorCode = "REQUIRED"
	CodeInvalid              UserErrorCode = "INVALID"
	CodeNotFound             UserErrorCode = "NOT_FOUND"
	CodeAlreadyExists        UserErrorCode = "ALREADY_EXISTS"
	CodeInUse                UserErrorCode = "IN_USE"
	CodeConflict             UserErrorCode = "CONFLICT"
	CodeInvalidState         UserErrorCode = "INVALID_STATE"
	CodeLimitExceeded        UserErrorCode = "LIMIT_EXCEEDED"
	CodeIdempotencyKeyReused UserErrorCode = "IDEMPOTENCY_KEY_REUSED"
)

// UserError is one problem that the caller can correct. Path leads to the
// field, relative to the mutation's `input`; graph puts `input` before it.
type UserError struct {
	Code    UserErrorCode
	Message string
	Path    []string
}

// Refusal is an error made of user errors: nothing was changed.
type Refusal struct{ Problems []UserError } //nolint:errname // the noun of the house: a refusal is made of user errors

// Error joins the messages of all problems.
func (r *Refusal) Error() string {
	texts := make([]string, len(r.Problems))
	for i, p := range r.Problems {
		texts[i] = p.Message
	}
	return strings.Join(texts, "; ")
}

// Refuse makes a refusal of one problem; path is dotted, such as "settings.channel".
func Refuse(code UserErrorCode, path, message string) *Refusal {
	var c checker
	c.add(code, path, message)
	return &Refusal{c.problems}
}

// refused is nil when there are no problems.
func refused(problems []UserError) error {
	if len(problems) == 0 {
		return nil
	}
	return &Refusal{problems}
}

// Errors that a Store returns and that callers tell apart.
var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("not found")
	// ErrStale: the configuration moved since it was read; read it and plan again.
	ErrStale = errors.New("the configuration has changed meanwhile")
	// ErrKeyReused: the idempotency key came before with another input.
	ErrKeyReused = errors.New("idempotency key reused with another input")
	// ErrUnsettled: a change is about a delivery that is on its way.
	ErrUnsettled = errors.New("the delivery that the change is about is not settled yet")
	// ErrOverloaded: more alerts are on their way than the books can take; nothing of the call was stored.
	ErrOverloaded = errors.New("more alerts are being raised than can be stored now; ask again in a moment, with the same idempotency key")
	// ErrPaused: the actor is paused or disabled, so that nothing is claimed for it.
	ErrPaused = errors.New("the actor is paused")
	// ErrFenced: the delivery was claimed by another attempt or is no longer leased.
	ErrFenced = errors.New("the delivery is held by another attempt")
	// ErrCursor: the cursor was not made by this list.
	ErrCursor = errors.New("the cursor is not one of this list; leave it out to begin at the start")
	// ErrCursorExpired: the cursor is older than what the ledger keeps, or from another ledger.
	ErrCursorExpired = errors.New("the cursor is not in what the ledger keeps; load the list again and go on from its ledgerCursor")
	// ErrOutcomeUnknown: the answer of a commit was lost.
	ErrOutcomeUnknown = errors.New("the answer of the commit was lost; ask again with the same idempotency key")
	// ErrUnavailable: the books cannot be written now (full disk, I/O error, closed).
	ErrUnavailable = errors.New("the database cannot be written")
	// ErrUnauthenticated: no such token, or it is expired or revoked.
	ErrUnauthenticated = errors.New("the token is unknown, expired or revoked")
)
