package dispatch

import "context"

// Enough says, in the context of a read, what of its answer will be looked at,
// so that a store need not read the rest. Its zero value is everything.
type Enough struct {
	// Alerts, Tickets and Deliveries are the names of the fields of those nouns
	// that are looked at beside their ids; nil for all.
	Alerts, Tickets, Deliveries []string
	// NoCursors: of lists, not the cursor of each thing. NoEnd: not where they end.
	NoCursors, NoEnd bool
}

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
