package dispatch

import "context"

// Enough says, in the context of a read, what of its answer will be looked at,
// so that a store need not read the rest. Its zero value is everything.
type Enough struct {
	// MainOf… : of these nouns their main fields, and nothing else.
	MainOfAlerts, MainOfTickets, MainOfDeliveries bool
	// NoCursors: of lists, not the cursor of each thing.
	NoCursors bool
}

// The main fields of nouns: what lists show, and the ids of what they belong to.
var (
	MainOfAlert = []string{
		"ID", "BehaviorModel", "Behavior", "Key", "Severity", "Summary", "OccurredAt", "ReceivedAt", "TicketID",
	}
	MainOfTicket = []string{
		"ID", "Number", "Title", "Status", "Severity", "BehaviorModel", "Key", "Assignee", "AlertCount", "LastAlertAt", "OpenedAt", "UpdatedAt",
	}
	MainOfDelivery = []string{
		"ID", "Kind", "Status", "ActionID", "APIConfigID", "APIConfigName", "ActorID", "ActorName", "AlertID", "TicketID", "CreatedAt", "FinishedAt",
	}
)

type enoughKey struct{}

// WithEnough is a context for reads of which that much is enough.
func WithEnough(ctx context.Context, e Enough) context.Context {
	return context.WithValue(ctx, enoughKey{}, e)
}

// EnoughOf is how much is enough in a context.
func EnoughOf(ctx context.Context) Enough {
	e, _ := ctx.Value(enoughKey{}).(Enough)
	return e
}
