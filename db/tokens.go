package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// CreateToken implements dispatch.TokenStore.
func (b *books) CreateToken(ctx context.Context, token dispatch.APIToken, r *dispatch.Repeat) (*dispatch.APIToken, error) {
	var names []string
	if r != nil {
		names = append(names, repeatLock(*r))
	}
	var first *dispatch.APIToken
	err := b.writer.write(ctx, names, func(ctx context.Context, t *tx) error {
		first = nil
		answer, err := t.repeated(ctx, r, token.CreatedAt)
		if err != nil {
			return err
		}
		if answer != nil {
			found, err := t.token(ctx, *answer)
			first = &found
			return err
		}
		if err := t.AddToken(ctx, tokenRow(token)); err != nil {
			return fmt.Errorf("token %s: %w", token.Name, err)
		}
		return t.remember(ctx, r, token.ID, token.CreatedAt)
	})
	if err != nil {
		return nil, err
	}
	return first, nil
}

func (t *tx) token(ctx context.Context, id string) (dispatch.APIToken, error) {
	row, err := t.TokenByID(ctx, id)
	return tokenFound(row, err, id)
}

func tokenFound(row sqlc.APIToken, err error, what string) (dispatch.APIToken, error) {
	if isNone(err) {
		return dispatch.APIToken{}, fmt.Errorf("token %s: %w", what, dispatch.ErrNotFound)
	}
	if err != nil {
		return dispatch.APIToken{}, fmt.Errorf("token %s: %w", what, err)
	}
	return tokenOf(row)
}

// Tokens implements dispatch.TokenStore.
func (b *books) Tokens(ctx context.Context) ([]dispatch.APIToken, error) {
	return all(ctx, b.reads.Tokens, tokenOf)
}

// TokenByHash implements dispatch.TokenStore.
func (b *books) TokenByHash(ctx context.Context, hash []byte) (dispatch.APIToken, error) {
	row, err := b.reads.TokenByHash(ctx, hash)
	return tokenFound(row, err, "by its hash")
}

// TokensByID implements dispatch.TokenStore.
func (b *books) TokensByID(ctx context.Context, ids []string) (map[string]dispatch.APIToken, error) {
	found := make(map[string]dispatch.APIToken, len(ids))
	for _, id := range ids {
		row, err := b.reads.TokenByID(ctx, id)
		token, err := tokenFound(row, err, id)
		if errors.Is(err, dispatch.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[id] = token
	}
	return found, nil
}

// RevokeToken implements dispatch.TokenStore. A second revocation keeps the
// time of the first.
func (b *books) RevokeToken(ctx context.Context, id string, now time.Time) (dispatch.APIToken, error) {
	var revoked dispatch.APIToken
	err := b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error {
		at := ms(now)
		if err := t.RevokeToken(ctx, sqlc.RevokeTokenParams{ID: id, RevokedAt: &at}); err != nil {
			return fmt.Errorf("token %s: %w", id, err)
		}
		var err error
		revoked, err = t.token(ctx, id)
		return err
	})
	if err != nil {
		return dispatch.APIToken{}, err
	}
	return revoked, nil
}

// TouchTokens implements dispatch.TokenStore.
func (b *books) TouchTokens(ctx context.Context, used map[string]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	return b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error {
		for _, id := range sortedKeys(used) {
			at := ms(used[id])
			if err := t.TouchToken(ctx, sqlc.TouchTokenParams{ID: id, UsedAt: &at}); err != nil {
				return fmt.Errorf("token %s: %w", id, err)
			}
		}
		return nil
	})
}

func tokenRow(t dispatch.APIToken) sqlc.AddTokenParams {
	return sqlc.AddTokenParams{
		ID: t.ID, Name: t.Name, Scopes: encode(t.Scopes), Prefix: t.Prefix, Hash: t.Hash, ExpiresAt: maybeMS(t.ExpiresAt),
		LastUsedAt: maybeMS(t.LastUsedAt), CreatedAt: ms(t.CreatedAt), CreatedBy: encodeOrigin(t.CreatedBy), RevokedAt: maybeMS(t.RevokedAt),
	}
}

func tokenOf(r sqlc.APIToken) (dispatch.APIToken, error) {
	scopes, err := decode[[]dispatch.Scope]("scopes", r.Scopes)
	if err != nil {
		return dispatch.APIToken{}, err
	}
	by, err := decodeOrigin(r.CreatedBy)
	return dispatch.APIToken{
		ID: r.ID, Name: r.Name, Scopes: scopes, Prefix: r.Prefix, Hash: r.Hash, ExpiresAt: maybeMoment(r.ExpiresAt),
		LastUsedAt: maybeMoment(r.LastUsedAt), CreatedAt: moment(r.CreatedAt), CreatedBy: by, RevokedAt: maybeMoment(r.RevokedAt),
	}, err
}
