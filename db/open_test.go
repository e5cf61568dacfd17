package db

import "testing"

func TestOpenAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		other := s.open()
		if other.Instance() != s.books.Instance() || other.Instance() == "" {
			t.Errorf("the books are called %q, and %q when they are opened again", s.books.Instance(), other.Instance())
		}
		s.raise(s.member("bob"))
		s.must(s.books.Ready(s.ctx))
		s.balances()
	})
}
