package db

import (
	"crypto/sha256"
	"testing"
	"time"

	"tocsin/dispatch"
)

// TestRepeatKeepsNoGuessableHash: an input may hold a password, whose hash in a
// stolen database would let guesses be tried; what is kept needs the key file.
func TestRepeatKeepsNoGuessableHash(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		input := sha256.Sum256([]byte(`{"secrets": {"password": "summer"}}`))
		m := s.member("bob")
		m.Repeat = &dispatch.Repeat{TokenID: "tok_1", Mutation: "raiseAlert", Key: "k", Input: input[:], Expires: s.now.Add(time.Hour)}
		s.raise(m)
		var kept []byte
		s.must(s.books.pool.QueryRowContext(s.ctx, "SELECT input FROM repeats").Scan(&kept))
		if string(kept) == string(input[:]) {
			t.Error("the books hold the hash itself")
		}
		again := s.books.Raise(s.ctx, []dispatch.Raising{m})[0]
		if again.Err != nil || !again.IsRepeat {
			t.Errorf("the repeat gave %+v", again)
		}
	})
}
