package db

import (
	"crypto/sha256"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// token is a token as the hub hands it over: without its text.
func (s *stage) token(text string) dispatch.APIToken {
	sum := sha256.Sum256([]byte(text))
	expires := s.now.Add(time.Hour)
	return dispatch.APIToken{
		ID: dispatch.NewID(dispatch.PrefixToken), Name: "laptop", Scopes: []dispatch.Scope{dispatch.ScopeRaise, dispatch.ScopeRead},
		Prefix: text[:8], Hash: sum[:], ExpiresAt: &expires, CreatedAt: s.now, CreatedBy: alice,
	}
}

func TestTokens(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		token := s.token("tocsin_0123456789")
		first, err := s.books.CreateToken(s.ctx, token, repeatOf("k", "input"))
		if first != nil || err != nil {
			t.Fatalf("a new token gave %+v, %v", first, err)
		}
		again := s.token("tocsin_9876543210")
		if first, err = s.books.CreateToken(s.ctx, again, repeatOf("k", "input")); err != nil || first == nil || first.ID != token.ID {
			t.Errorf("the repeat gave %+v, %v; want the first token", first, err)
		}
		if _, err = s.books.CreateToken(s.ctx, again, repeatOf("k", "other")); !errors.Is(err, dispatch.ErrKeyReused) {
			t.Errorf("the key with another input gave %v, want ErrKeyReused", err)
		}
		all, err := s.books.Tokens(s.ctx)
		s.must(err)
		if diff := cmp.Diff([]dispatch.APIToken{token}, all); diff != "" {
			t.Error("tokens:", diff)
		}
		found, err := s.books.TokenByHash(s.ctx, token.Hash)
		if err != nil || found.ID != token.ID {
			t.Errorf("by its hash: %+v, %v", found, err)
		}
		if _, err := s.books.TokenByHash(s.ctx, again.Hash); !errors.Is(err, dispatch.ErrNotFound) {
			t.Errorf("an unknown hash gave %v, want ErrNotFound", err)
		}
		byID, err := s.books.TokensByID(s.ctx, []string{token.ID, again.ID})
		if err != nil || len(byID) != 1 {
			t.Errorf("by id: %+v, %v", byID, err)
		}
	})
}

// TestTokenTextIsNotKept: what stands in the database opens no door.
func TestTokenTextIsNotKept(t *testing.T) {
	s := onSQLite(t)
	text := "tocsin_" + strings.Repeat("z", 32)
	_, err := s.books.CreateToken(s.ctx, s.token(text), nil)
	s.must(err)
	wantNowhere(t, filepath.Dir(strings.TrimPrefix(s.url, "sqlite:")), text)
}

func TestRevokeToken(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		token := s.token("tocsin_0123456789")
		_, err := s.books.CreateToken(s.ctx, token, nil)
		s.must(err)
		revoked, err := s.books.RevokeToken(s.ctx, token.ID, s.now)
		if err != nil || !revoked.RevokedAt.Equal(s.now) || revoked.Valid(s.now) {
			t.Errorf("revoked: %+v, %v", revoked, err)
		}
		at := s.now
		s.pass(time.Minute)
		if again, err := s.books.RevokeToken(s.ctx, token.ID, s.now); err != nil || !again.RevokedAt.Equal(at) {
			t.Errorf("revoked again: %+v, %v; want the first time kept", again, err)
		}
		if _, err := s.books.RevokeToken(s.ctx, "tok_none", s.now); !errors.Is(err, dispatch.ErrNotFound) {
			t.Errorf("an unknown token gave %v, want ErrNotFound", err)
		}
		// Another process sees it at once.
		if found, err := s.open().TokenByHash(s.ctx, token.Hash); err != nil || found.RevokedAt == nil {
			t.Errorf("another process reads %+v, %v", found, err)
		}
	})
}

func TestTouchTokens(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		token := s.token("tocsin_0123456789")
		_, err := s.books.CreateToken(s.ctx, token, nil)
		s.must(err)
		later := s.now.Add(time.Minute)
		for _, at := range []time.Time{later, s.now} { // an old one of another process comes last
			s.must(s.books.TouchTokens(s.ctx, map[string]time.Time{token.ID: at, "tok_none": at}))
		}
		s.must(s.books.TouchTokens(s.ctx, nil))
		if found, err := s.books.TokenByHash(s.ctx, token.Hash); err != nil || !found.LastUsedAt.Equal(later) {
			t.Errorf("last used %v, %v; want %v", found.LastUsedAt, err, later)
		}
	})
}
