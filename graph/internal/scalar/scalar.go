// Package scalar says how the schema's scalars are read and written: times,
// lengths of time, JSON and 32-bit numbers. It knows nothing of the nouns.
package scalar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// Invalid is a value that the scalar does not take; its text names the remedy.
type Invalid string //nolint:errname // it says what is wrong with the value

// Error is the text.
func (i Invalid) Error() string { return string(i) }

// dateTime writes milliseconds always, so that texts of times sort as times do.
const dateTime = "2006-01-02T15:04:05.000Z07:00"

// MarshalDateTime writes RFC 3339 in UTC with milliseconds.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = w.Write(AppendDateTime(make([]byte, 0, len(dateTime)+2), t)) // the writer is a buffer in memory
	})
}

// AppendDateTime writes a time behind what is there.
func AppendDateTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), dateTime), '"')
}

// UnmarshalDateTime reads RFC 3339; what is finer than a millisecond is cut off.
func UnmarshalDateTime(v any) (time.Time, error) {
	text, ok := v.(string)
	if !ok {
		return time.Time{}, Invalid("a DateTime is a text such as 2026-01-31T08:00:00Z")
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, Invalid("cannot be read as a DateTime; give RFC 3339 such as 2026-01-31T08:00:00Z")
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// MarshalDuration writes ISO 8601.
func MarshalDuration(d time.Duration) graphql.Marshaler {
	return graphql.MarshalString(formatDuration(d))
}

// UnmarshalDuration reads ISO 8601 without years and months.
func UnmarshalDuration(v any) (time.Duration, error) {
	text, ok := v.(string)
	if !ok {
		return 0, Invalid("a Duration is a text such as PT30S or P7D")
	}
	return parseDuration(text)
}

// MarshalJSON writes the text as it is; nil is null.
func MarshalJSON(v json.RawMessage) graphql.Marshaler {
	if len(v) == 0 {
		return graphql.Null
	}
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(v) })
}

// UnmarshalJSON reads any value. Numbers that came in a variable keep their digits.
func UnmarshalJSON(v any) (json.RawMessage, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, Invalid("cannot be written as JSON; leave numbers within the range of a double")
	}
	return bytes.TrimRight(text.Bytes(), "\n"), nil
}

// MarshalInt writes a whole number.
func MarshalInt(v int) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Itoa(v)) })
}

// UnmarshalInt reads a whole number of 32 bits, as GraphQL has them.
func UnmarshalInt(v any) (int, error) {
	var n int64
	switch v := v.(type) {
	case int64:
		n = v
	case int:
		n = int64(v)
	case json.Number:
		var err error
		if n, err = v.Int64(); err != nil {
			return 0, Invalid("is not a whole number")
		}
	default:
		return 0, Invalid("is not a whole number")
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, Invalid(fmt.Sprintf("is beyond 32 bits; give a number between %d and %d", math.MinInt32, math.MaxInt32))
	}
	return int(n), nil
}
