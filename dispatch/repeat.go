package dispatch

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// repeatKept is how long an idempotency key is remembered.
const repeatKept = 24 * time.Hour

// repeat is what makes asking twice harmless; nil without a key. The input is
// known by its hash.
func repeat(c Caller, mutation string, key *string, input any, now time.Time) (*Repeat, error) {
	if key == nil || *key == "" {
		return nil, nil //nolint:nilnil // nothing to repeat is an answer
	}
	text, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("hash the input: %w", err)
	}
	sum := sha256.Sum256(text)
	return &Repeat{TokenID: c.TokenID, Mutation: mutation, Key: *key, Input: sum[:], Expires: now.Add(repeatKept)}, nil
}
