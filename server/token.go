package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tocsin/actors"
	"tocsin/dispatch"
)

// Token is the command for API tokens. It works on the database itself, also
// beside a running server, which hears of a revocation within a second.
type Token struct {
	Create CreateToken `cmd:"" help:"Make a token and print its text, alone, on standard output."`
	List   ListTokens  `cmd:"" help:"List the tokens; their texts are not kept."`
	Revoke RevokeToken `cmd:"" help:"End a token."`
}

// CreateToken makes a token.
type CreateToken struct {
	Books
	Name    string        `help:"Who the token is for; it is the author of what the token does." required:""`
	Scopes  []string      `help:"What it may do: RAISE, READ, TICKETS, CONFIGURE, ADMIN." required:""`
	Expires time.Duration `help:"How long it is valid, such as 720h; for ever unless given."`
}

// Run makes the token.
func (c *CreateToken) Run(ctx context.Context, std streams) error {
	scopes := make([]dispatch.Scope, len(c.Scopes))
	for i, text := range c.Scopes {
		scopes[i] = dispatch.Scope(strings.ToUpper(strings.TrimSpace(text)))
		if !slices.Contains(dispatch.Scopes, scopes[i]) {
			return fmt.Errorf("--scopes: %q is not a scope; there are RAISE, READ, TICKETS, CONFIGURE, ADMIN", text)
		}
	}
	if c.Expires < 0 {
		return errors.New("--expires: is in the past; give a time to come")
	}
	return c.with(ctx, func(store dispatch.Store) error {
		var until *time.Time
		if c.Expires > 0 {
			end := time.Now().Add(c.Expires).UTC().Truncate(time.Millisecond)
			until = &end
		}
		text, err := makeToken(ctx, store, c.Name, scopes, until)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(std.out, text)
		return err
	})
}

// makeToken stores a token made on the command line and returns its text.
func makeToken(ctx context.Context, store dispatch.Store, name string, scopes []dispatch.Scope, until *time.Time) (string, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	token, text := dispatch.NewToken(name, scopes, until, dispatch.System, now)
	if _, err := store.CreateToken(ctx, token, nil); err != nil {
		return "", fmt.Errorf("make the token: %w", err)
	}
	return text, nil
}

// ListTokens lists the tokens.
type ListTokens struct{ Books }

// Run lists the tokens, the newest first.
func (c *ListTokens) Run(ctx context.Context, std streams) error {
	return c.with(ctx, func(store dispatch.Store) error {
		tokens, err := store.Tokens(ctx)
		if err != nil {
			return fmt.Errorf("list the tokens: %w", err)
		}
		table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tBEGINS\tSCOPES\tLAST USED\tSTATE")
		for _, t := range tokens {
			fmt.Fprintf(table, "%s\t%s\t%s…\t%s\t%s\t%s\n", t.ID, t.Name, t.Prefix, joined(t.Scopes), when(t.LastUsedAt), state(t))
		}
		return table.Flush()
	})
}

// RevokeToken ends a token.
type RevokeToken struct {
	Books
	Name string `help:"Name of the token; every token of that name ends." xor:"which" required:""`
	ID   string `help:"Id of the token, as token list shows it." xor:"which" required:""`
}

// Run ends the token.
func (c *RevokeToken) Run(ctx context.Context, std streams) error {
	return c.with(ctx, func(store dispatch.Store) error {
		tokens, err := store.Tokens(ctx)
		if err != nil {
			return fmt.Errorf("list the tokens: %w", err)
		}
		ended := 0
		for _, t := range tokens {
			if t.RevokedAt != nil || (t.ID != c.ID && (c.Name == "" || t.Name != c.Name)) {
				continue
			}
			if _, err := store.RevokeToken(ctx, t.ID, time.Now().UTC().Truncate(time.Millisecond)); err != nil {
				return fmt.Errorf("revoke %s: %w", t.ID, err)
			}
			ended++
		}
		if ended == 0 {
			return errors.New("no valid token has that name or id; see tocsin token list")
		}
		_, err = fmt.Fprintf(std.out, "%d revoked\n", ended)
		return err
	})
}

// with opens the books beside whoever serves them.
func (b *Books) with(ctx context.Context, work func(store dispatch.Store) error) error {
	if err := b.setDefaults(); err != nil {
		return err
	}
	store, err := openBooks(ctx, *b, actors.All(), slog.New(slog.DiscardHandler), false)
	if err != nil {
		return err
	}
	return errors.Join(work(store), store.Close())
}

func joined(scopes []dispatch.Scope) string {
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = string(s)
	}
	return strings.Join(texts, ",")
}

func when(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

func state(t dispatch.APIToken) string {
	switch {
	case t.RevokedAt != nil:
		return "revoked " + when(t.RevokedAt)
	case !t.Valid(time.Now()):
		return "expired " + when(t.ExpiresAt)
	case t.ExpiresAt != nil:
		return "valid until " + when(t.ExpiresAt)
	default:
		return "valid"
	}
}
