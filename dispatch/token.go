package dispatch

import (
	"slices"
	"time"
)

// Origin is who or what made a change. Name stays readable after the thing
// behind it is gone.
type Origin struct {
	Kind    OriginKind
	Name    string
	ActorID *string
}

// OriginKind is the sort of an origin.
type OriginKind string

// The origin kinds.
const (
	FromPerson OriginKind = "PERSON"
	FromToken  OriginKind = "TOKEN"
	FromActor  OriginKind = "ACTOR"
	FromSystem OriginKind = "SYSTEM"
)

// System is the origin of what the server does by itself.
var System = Origin{Kind: FromSystem, Name: "Tocsin"}

// Scope is what a token may do.
type Scope string

// The scopes. TICKETS and CONFIGURE include READ; ADMIN includes all; RAISE
// includes nothing else.
const (
	ScopeRaise     Scope = "RAISE"
	ScopeRead      Scope = "READ"
	ScopeTickets   Scope = "TICKETS"
	ScopeConfigure Scope = "CONFIGURE"
	ScopeAdmin     Scope = "ADMIN"
)

// Scopes lists all scopes.
var Scopes = []Scope{ScopeRaise, ScopeRead, ScopeTickets, ScopeConfigure, ScopeAdmin}

// Caller is who asks, as a token says.
type Caller struct {
	TokenID string
	Name    string
	Scopes  []Scope
	Expires *time.Time
}

// May tells whether the caller's scopes include one.
func (c Caller) May(need Scope) bool {
	if slices.Contains(c.Scopes, ScopeAdmin) || slices.Contains(c.Scopes, need) {
		return true
	}
	return need == ScopeRead && (slices.Contains(c.Scopes, ScopeTickets) || slices.Contains(c.Scopes, ScopeConfigure))
}

// Origin is the caller as the author of a change.
func (c Caller) Origin() Origin { return Origin{Kind: FromToken, Name: c.Name} }

// APIToken is a token as it is listed: its text was shown once and is not kept.
type APIToken struct {
	ID         string
	Name       string
	Scopes     []Scope
	Prefix     string // the first characters of the text, to tell tokens apart
	Hash       []byte // SHA-256 of the text
	ExpiresAt  *time.Time
	LastUsedAt *time.Time
	CreatedAt  time.Time
	CreatedBy  Origin
	RevokedAt  *time.Time
}

// Valid tells whether the token may be used at a time.
func (t APIToken) Valid(now time.Time) bool {
	return t.RevokedAt == nil && (t.ExpiresAt == nil || now.Before(*t.ExpiresAt))
}

// Repeat makes asking twice harmless: the same key of the same token for the
// same mutation gives the first answer for 24 hours.
type Repeat struct {
	TokenID  string
	Mutation string
	Key      string
	Input    []byte // hash of the input
	Expires  time.Time
}
