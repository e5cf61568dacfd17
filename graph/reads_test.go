package graph

import (
	"context"
	"encoding/json"
	"sync"

	"tocsin/dispatch"
)

func jsonNumber(text string) json.Number { return json.Number(text) }

// countingReads counts the questions that loaders ask.
type countingReads struct {
	dispatch.ReadStore
	mu    *sync.Mutex
	asked map[string]int
}

func (c countingReads) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[what]++
}

func (c countingReads) TicketsByID(ctx context.Context, ids []string) (map[string]dispatch.Ticket, error) {
	c.count("tickets")
	return c.ReadStore.TicketsByID(ctx, ids)
}

func (c countingReads) DecisionsOf(ctx context.Context, ids []string) (map[string][]dispatch.Decision, error) {
	c.count("decisions")
	return c.ReadStore.DecisionsOf(ctx, ids)
}

func (c countingReads) DeliveriesOf(ctx context.Context, ids []string) (map[string][]dispatch.Delivery, error) {
	c.count("deliveries")
	return c.ReadStore.DeliveriesOf(ctx, ids)
}

func (c countingReads) AttemptsOf(ctx context.Context, ids []string) (map[string][]dispatch.Attempt, error) {
	c.count("attempts")
	return c.ReadStore.AttemptsOf(ctx, ids)
}

// brokenReads fails as a store of ours never should.
type brokenReads struct {
	dispatch.ReadStore
	fail func() error
}

func (b brokenReads) Accounting(context.Context) (dispatch.Accounting, error) {
	return dispatch.Accounting{}, b.fail()
}
