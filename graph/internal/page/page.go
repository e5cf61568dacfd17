// Package page gives lists the shape that the schema calls a connection. It
// reads nothing by itself: a list comes in, a count is a function.
package page

import (
	"context"
	"sync"

	"tocsin/dispatch"
)

// Connection is a page of a list with a count that is made only when asked for.
type Connection[T any] struct {
	list  dispatch.List[T]
	count func(context.Context) (dispatch.Count, error)
}

// Edge is an item with its cursor.
type Edge[T any] struct {
	Cursor string
	Node   T
}

// Info is where a page ends.
type Info struct {
	HasNextPage bool
	EndCursor   *string
}

// Of makes a connection of a page. Both fields that show the count share one
// call of count, with the context of whichever comes first.
func Of[T any](list dispatch.List[T], count func(context.Context) (dispatch.Count, error)) Connection[T] {
	var once sync.Once
	var n dispatch.Count
	var err error
	return Connection[T]{list: list, count: func(ctx context.Context) (dispatch.Count, error) {
		once.Do(func() { n, err = count(ctx) })
		return n, err
	}}
}

// Nodes are the items.
func (c Connection[T]) Nodes() []T { return c.list.Items }

// Edges are the items with their cursors.
func (c Connection[T]) Edges() []Edge[T] {
	edges := make([]Edge[T], len(c.list.Items))
	for i, item := range c.list.Items {
		edges[i] = Edge[T]{Cursor: c.list.Cursors[i], Node: item}
	}
	return edges
}

// PageInfo is where the page ends.
func (c Connection[T]) PageInfo() Info {
	info := Info{HasNextPage: c.list.HasNext}
	if c.list.End != "" {
		info.EndCursor = &c.list.End
	}
	return info
}

// TotalCount is the number of items on all pages.
func (c Connection[T]) TotalCount(ctx context.Context) (*int, error) {
	n, err := c.count(ctx)
	if err != nil {
		return nil, err
	}
	return &n.Rows, nil
}

// TotalCountIsExact tells whether the counting came to the end.
func (c Connection[T]) TotalCountIsExact(ctx context.Context) (*bool, error) {
	n, err := c.count(ctx)
	if err != nil {
		return nil, err
	}
	return &n.Exact, nil
}

type (
	// BehaviorModelConnection is a page of behavior models.
	BehaviorModelConnection = Connection[dispatch.BehaviorModel]
	// BehaviorModelEdge is a behavior model with its cursor.
	BehaviorModelEdge = Edge[dispatch.BehaviorModel]
	// ActionConnection is a page of actions.
	ActionConnection = Connection[dispatch.Action]
	// ActionEdge is an action with its cursor.
	ActionEdge = Edge[dispatch.Action]
	// APIConfigConnection is a page of API configs.
	APIConfigConnection = Connection[dispatch.APIConfig]
	// APIConfigEdge is an API config with its cursor.
	APIConfigEdge = Edge[dispatch.APIConfig]
	// LambdaConnection is a page of lambdas.
	LambdaConnection = Connection[dispatch.Lambda]
	// LambdaEdge is a lambda with its cursor.
	LambdaEdge = Edge[dispatch.Lambda]
	// ActorConnection is a page of actors.
	ActorConnection = Connection[dispatch.Actor]
	// ActorEdge is an actor with its cursor.
	ActorEdge = Edge[dispatch.Actor]
	// AlertConnection is a page of alerts.
	AlertConnection = Connection[dispatch.Alert]
	// AlertEdge is an alert with its cursor.
	AlertEdge = Edge[dispatch.Alert]
	// DeliveryConnection is a page of deliveries.
	DeliveryConnection = Connection[dispatch.Delivery]
	// DeliveryEdge is a delivery with its cursor.
	DeliveryEdge = Edge[dispatch.Delivery]
	// TicketEdge is a ticket with its cursor.
	TicketEdge = Edge[dispatch.Ticket]
	// TicketEventConnection is a page of lines of the ledger.
	TicketEventConnection = Connection[dispatch.TicketEvent]
	// TicketEventEdge is a line of the ledger with its cursor.
	TicketEventEdge = Edge[dispatch.TicketEvent]
	// NotificationEdge is a notification with its cursor.
	NotificationEdge = Edge[dispatch.Notification]
)

// TicketConnection is a page of tickets with the place in the ledger at which
// it was read.
type TicketConnection struct {
	Connection[dispatch.Ticket]
	LedgerCursor string
}

// NotificationConnection is a page of notifications; how many are unread on
// all is counted when asked for.
type NotificationConnection struct {
	Connection[dispatch.Notification]
	Unread func(context.Context) (dispatch.Count, error)
}

// UnreadCount is how many notifications are unread.
func (n NotificationConnection) UnreadCount(ctx context.Context) (int, error) {
	count, err := n.Unread(ctx)
	return count.Rows, err
}

// Node is whatever is stored and has an id: one of the hub's nouns.
type Node any
