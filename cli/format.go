package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// alert is a RaiseAlertInput of the contract, as the formats of others fill it.
type alert struct {
	BehaviorModel  string          `json:"behaviorModel"`
	Summary        string          `json:"summary"`
	Behavior       string          `json:"behavior,omitempty"`
	Key            string          `json:"key,omitempty"`
	KeyType        string          `json:"keyType,omitempty"`
	Severity       string          `json:"severity,omitempty"`
	Source         string          `json:"source,omitempty"`
	Attributes     any             `json:"attributes,omitempty"`
	Payload        json.RawMessage `json:"payload"`
	OccurredAt     *time.Time      `json:"occurredAt,omitempty"`
	IdempotencyKey string          `json:"idempotencyKey"`
}

// format turns a line, which is one JSON value in UTF-8, into an encoded alert
// with that idempotency key. A line that raises nothing gives nil; an error
// says what is wrong with it.
type format func(line []byte, key string) ([]byte, error)

// formats are those that Raise knows, by name.
var formats = map[string]format{"tocsin": fromTocsin, "eve": fromEVE, "falco": fromFalco}

// maxSummary is how much text a summary may hold, in characters.
const maxSummary = 2_000

// encode writes JSON without the escapes that only HTML needs.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// withoutNUL replaces NUL characters in JSON, which the server does not take. In
// the formats of others they come from traffic, and must not keep an alert away.
func withoutNUL(line []byte) []byte {
	const escaped, instead = `\u0000`, `\ufffd`
	if !bytes.Contains(line, []byte(escaped)) {
		return line
	}
	line = bytes.Clone(line)
	for i := 0; i < len(line); i++ {
		if line[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(line[i:], []byte(escaped)) {
			copy(line[i:], instead)
		}
		i++ // over the character that is escaped
	}
	return line
}

// moment reads the first layout that fits. A time without a zone could be any,
// so it is left out like one that cannot be read; the payload keeps it.
func moment(text string) *time.Time {
	// Both layouts also read a fraction of the second.
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			at = at.UTC().Truncate(time.Millisecond)
			return &at
		}
	}
	return nil
}

// cut shortens a text to that many characters.
func cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}
