package dispatch

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"time"
)

// tokenPrefix begins every token's text, so that one that leaked is recognized.
const tokenPrefix = "tocsin_"

// tokenFresh is how long an authentication is believed: a revocation made by
// another process takes effect within this time.
const tokenFresh = time.Second

// NewTokenText makes a token's text of 256 random bits, and what is kept of it.
func NewTokenText() (text, prefix string, hash []byte) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: the runtime stops the program instead
	text = tokenPrefix + base64.RawURLEncoding.EncodeToString(secret)
	return text, text[:len(tokenPrefix)+6], HashToken(text)
}

// HashToken is what is kept of a token's text. It is no password: 256 random
// bits need no slow hash.
func HashToken(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// tokenCache remembers tokens for a second, and when they were last used.
type tokenCache struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]knownToken
	used  map[string]time.Time
}

type knownToken struct {
	token APIToken
	at    time.Time
}

// maxKnownTokens bounds the cache.
const maxKnownTokens = 10_000

func (t *tokenCache) find(hash [sha256.Size]byte, now time.Time) (APIToken, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.known[hash]
	return known.token, ok && now.Sub(known.at) < tokenFresh
}

func (t *tokenCache) keep(hash [sha256.Size]byte, token APIToken, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil || len(t.known) >= maxKnownTokens {
		t.known = map[[sha256.Size]byte]knownToken{}
	}
	t.known[hash] = knownToken{token, now}
}

func (t *tokenCache) touch(id string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.used == nil {
		t.used = map[string]time.Time{}
	}
	t.used[id] = now
}

func (t *tokenCache) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known = nil
}

func (t *tokenCache) takeUsed() map[string]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	used := t.used
	t.used = nil
	return used
}

// Authenticate tells who a token's text belongs to; ErrUnauthenticated when it
// is unknown, expired or revoked. An answer may be up to a second old.
func (d *Desk) Authenticate(ctx context.Context, text string) (Caller, error) {
	if text == "" {
		return Caller{}, ErrUnauthenticated
	}
	now := moment()
	hash := sha256.Sum256([]byte(text))
	token, ok := d.tokens.find(hash, now)
	if !ok {
		var err error
		token, err = d.store.TokenByHash(ctx, hash[:])
		if errors.Is(err, ErrNotFound) {
			return Caller{}, ErrUnauthenticated
		}
		if err != nil {
			return Caller{}, err
		}
		d.tokens.keep(hash, token, now)
	}
	if !token.Valid(now) {
		return Caller{}, ErrUnauthenticated
	}
	d.tokens.touch(token.ID, now)
	return Caller{TokenID: token.ID, Name: token.Name, Scopes: token.Scopes, Expires: token.ExpiresAt}, nil
}

// CreateToken makes a token; its text is in this answer only. A repeat gets
// the first token without its text.
func (d *Desk) CreateToken(ctx context.Context, c Caller, in CreateTokenInput) (APIToken, string, error) {
	now := moment()
	if err := refused(in.check(now)); err != nil {
		return APIToken{}, "", err
	}
	r, err := repeat(c, "createApiToken", in.IdempotencyKey, in, now)
	if err != nil {
		return APIToken{}, "", err
	}
	token, text := NewToken(in.Name, in.Scopes, in.ExpiresAt, c.Origin(), now)
	first, err := d.store.CreateToken(ctx, token, r)
	if err != nil {
		return APIToken{}, "", keyRefusal(err)
	}
	if first != nil {
		return *first, "", nil
	}
	return token, text, nil
}

// NewToken makes a token with its text.
func NewToken(name string, scopes []Scope, expires *time.Time, by Origin, now time.Time) (APIToken, string) {
	text, prefix, hash := NewTokenText()
	return APIToken{
		ID: NewID(PrefixToken), Name: name, Scopes: scopes, Prefix: prefix, Hash: hash,
		ExpiresAt: expires, CreatedAt: now, CreatedBy: by,
	}, text
}

func (in CreateTokenInput) check(now time.Time) []UserError {
	var c checker
	c.text("name", in.Name, maxName)
	if len(in.Scopes) == 0 {
		c.add(CodeRequired, "scopes", "is empty; give at least one scope")
	}
	for _, s := range in.Scopes {
		if !slices.Contains(Scopes, s) {
			c.add(CodeInvalid, "scopes", "holds an unknown scope; there are RAISE, READ, TICKETS, CONFIGURE, ADMIN")
		}
	}
	if in.ExpiresAt != nil && !in.ExpiresAt.After(now) {
		c.add(CodeInvalid, "expiresAt", "is in the past; give a time to come")
	}
	c.optional("idempotencyKey", in.IdempotencyKey, maxIdempotency)
	return c.problems
}

// RevokeToken ends a token: at once here, within a second in other processes.
func (d *Desk) RevokeToken(ctx context.Context, _ Caller, id string) (APIToken, error) {
	token, err := d.store.RevokeToken(lasting(ctx), id, moment())
	if errors.Is(err, ErrNotFound) {
		return APIToken{}, unknown("id", "token")
	}
	d.tokens.forget()
	return token, err
}

// Tokens lists all tokens, the newest first.
func (d *Desk) Tokens(ctx context.Context) ([]APIToken, error) { return d.store.Tokens(ctx) }

// TokensByID reads tokens by id.
func (d *Desk) TokensByID(ctx context.Context, ids []string) (map[string]APIToken, error) {
	return d.store.TokensByID(ctx, ids)
}

// touchTokens writes down when tokens were last used, since the last call.
func (d *Desk) touchTokens(ctx context.Context) error {
	used := d.tokens.takeUsed()
	if len(used) == 0 {
		return nil
	}
	return d.store.TouchTokens(ctx, used)
}
