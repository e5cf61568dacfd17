package dispatch

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Page asks for a part of a list: at most First items after a cursor ("" is the start).
type Page struct {
	First int
	After string
}

// List is a part of a list. Cursors has one entry for each item. End is where
// to go on: the last cursor, or further when the search stopped before the
// page was full; a page may be short or empty while HasNext is true.
type List[T any] struct {
	Items   []T
	Cursors []string
	End     string
	HasNext bool
}

// Count is a number of rows; Exact is false when the counting stopped at a limit.
type Count struct {
	Rows  int
	Exact bool
}

// Cursor makes a cursor of a list from the keys of its order.
func Cursor(list string, keys ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "\x00" + strings.Join(keys, "\x00")))
}

// CursorKeys reads a cursor of that list with that many keys; ErrCursor when it is another's.
func CursorKeys(list, cursor string, n int) ([]string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, ErrCursor
	}
	parts := strings.Split(string(raw), "\x00")
	if parts[0] != list || len(parts) != n+1 {
		return nil, ErrCursor
	}
	return parts[1:], nil
}

// ledgerList names the one list that all ledger cursors belong to.
const ledgerList = "ledger"

// LedgerCursor is the place after the event with that number.
func LedgerCursor(seq int64) string { return Cursor(ledgerList, strconv.FormatInt(seq, 10)) }

// LedgerSeq reads a ledger cursor; ErrCursor when it is none.
func LedgerSeq(cursor string) (int64, error) {
	keys, err := CursorKeys(ledgerList, cursor, 1)
	if err != nil {
		return 0, err
	}
	seq, err := strconv.ParseInt(keys[0], 10, 64)
	if err != nil || seq < 0 {
		return 0, fmt.Errorf("ledger position %q: %w", keys[0], ErrCursor)
	}
	return seq, nil
}
