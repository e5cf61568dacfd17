package dispatch

import "time"

// Maybe tells a field that was left out (kept) from one that was given; T is a
// pointer or a slice where null clears.
type Maybe[T any] struct {
	Given bool
	Value T
}

// Given is a field that was given.
func Given[T any](v T) Maybe[T] { return Maybe[T]{Given: true, Value: v} }

// apply sets the target when the field was given.
func (m Maybe[T]) apply(target *T) {
	if m.Given {
		*target = m.Value
	}
}

// CreateBehaviorModelInput asks for a new behavior model.
type CreateBehaviorModelInput struct {
	Name           string
	Group          *string
	Description    *string
	Enabled        *bool
	Severity       *Severity
	IdempotencyKey *string
}

// UpdateBehaviorModelInput changes a behavior model; null where a value must
// be is INVALID, so those fields are pointers too.
type UpdateBehaviorModelInput struct {
	ID              string
	ExpectedVersion *int
	Name            Maybe[*string]
	Group           Maybe[*string]
	Description     Maybe[*string]
	Enabled         Maybe[*bool]
	Severity        Maybe[*Severity]
}

// CreateActionInput asks for a new action.
type CreateActionInput struct {
	Name             string
	Description      *string
	Enabled          *bool
	BehaviorModelIDs []string
	BehaviorGroups   []string
	AllModels        *bool
	Condition        *string
	LambdaIDs        []string
	APIConfigIDs     []string
	TicketPolicy     *TicketPolicy
	Renotify         *Renotify
	RenotifyAfter    *time.Duration
	IdempotencyKey   *string
}

// UpdateActionInput changes an action.
type UpdateActionInput struct {
	ID               string
	ExpectedVersion  *int
	Name             Maybe[*string]
	Description      Maybe[*string]
	Enabled          Maybe[*bool]
	BehaviorModelIDs Maybe[[]string]
	BehaviorGroups   Maybe[[]string]
	AllModels        Maybe[*bool]
	Condition        Maybe[*string]
	LambdaIDs        Maybe[[]string]
	APIConfigIDs     Maybe[[]string]
	TicketPolicy     Maybe[*TicketPolicy]
	Renotify         Maybe[*Renotify]
	RenotifyAfter    Maybe[*time.Duration]
}

// CreateAPIConfigInput asks for a new API config. Without a name it gets the
// kind's default name, numbered if that is taken; settings go over the defaults.
type CreateAPIConfigInput struct {
	Name           *string
	ActorType      string
	ActorID        *string
	Settings       JSON
	FallbackID     *string
	IdempotencyKey *string
}

// UpdateAPIConfigInput changes an API config. Settings replace by field: a
// field left out is kept, null sets it back to empty.
type UpdateAPIConfigInput struct {
	ID              string
	ExpectedVersion *int
	Name            Maybe[*string]
	ActorID         Maybe[*string]
	Settings        Maybe[JSON]
	FallbackID      Maybe[*string]
}

// CreateActorInput asks for a new actor. Secrets is an object by field: texts,
// or for a secret that is no text its JSON.
type CreateActorInput struct {
	Type           string
	Name           string
	Enabled        *bool
	Settings       JSON
	Secrets        JSON
	Sync           *SyncDirection
	IdempotencyKey *string
}

// UpdateActorInput changes an actor. In settings and secrets a field left out
// is kept and null clears it.
type UpdateActorInput struct {
	ID              string
	ExpectedVersion *int
	Name            Maybe[*string]
	Enabled         Maybe[*bool]
	Settings        Maybe[JSON]
	Secrets         Maybe[JSON]
	Sync            Maybe[*SyncDirection]
}

// DeleteInput asks to delete a configured thing.
type DeleteInput struct {
	ID              string
	ExpectedVersion *int
	Force           *bool
}

// TestActorInput names a stored actor, or gives a draft.
type TestActorInput struct {
	ID       *string
	Type     *string
	Settings JSON
	Secrets  JSON
}

// TestAPIConfigInput names an API config and the alert to send: a stored one,
// one that is given, or an invented one.
type TestAPIConfigInput struct {
	ID      string
	AlertID *string
	Alert   *RaiseAlertInput
}

// TestResult is how a test ended; Attempt is what went over the wire.
type TestResult struct {
	OK      bool
	Message string
	Attempt *Attempt
}

// RetryDeliveriesInput names deliveries to send again, by id or by filter: as
// they were promised, or rendered with the configuration of today.
type RetryDeliveriesInput struct {
	IDs      []string
	Filter   *DeliveryFilter
	Rerender *bool
}

// CancelDeliveriesInput names deliveries to give up, by id or by filter.
type CancelDeliveriesInput struct {
	IDs    []string
	Filter *DeliveryFilter
	Reason *string
}

// TicketsInput names tickets to move.
type TicketsInput struct {
	Tickets        []TicketRef
	Comment        *string
	IdempotencyKey *string
}

// AssignTicketsInput gives tickets to somebody.
type AssignTicketsInput struct {
	IDs      []string
	Assignee *string
	Comment  *string
}

// CommentOnTicketInput adds a line to a ticket.
type CommentOnTicketInput struct {
	ID             string
	Text           string
	IdempotencyKey *string
}

// CreateTokenInput asks for an API token.
type CreateTokenInput struct {
	Name           string
	Scopes         []Scope
	ExpiresAt      *time.Time
	IdempotencyKey *string
}
