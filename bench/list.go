package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
)

// listBench reads tickets: a page with what belongs to each, and one by id.
type listBench struct {
	rounds
	Concurrency int `help:"Clients at once." default:"16"`
	Rows        int `help:"Alerts, tickets and pairs of deliveries in the books." default:"10000"`
}

const pageQuery = `{ tickets(first: 50) { nodes { id number title status severity key openedAt
	alerts(first: 1) { nodes { id behaviorModel behavior severity summary key receivedAt } }
	deliveries(first: 2) { nodes { id status apiConfigName actorName createdAt } } } } }`

const ticketQuery = `query($id: ID!) { ticket(id: $id) { id number title status severity key openedAt } }`

// Run compares both reads with the same SQL by hand, behind the same HTTP.
func (b *listBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *listBench) measure(ctx context.Context, t *table) error {
	return inFolder(func(dir string) error {
		h, err := openHeld(ctx, dir, 2)
		if err != nil {
			return err
		}
		if err := h.fill(ctx, "fill", b.Rows); err != nil {
			return err
		}
		limit, err := start(ctx, "/healthz", func(addr string) []string {
			return []string{"limit-list", "--listen", addr, "--database", filepath.Join(dir, "tocsin.db")}
		})
		if err != nil {
			return err
		}
		reads, err := h.reads(ctx)
		if err != nil {
			return err
		}
		r, err := b.weigh(ctx, h, limit, "50 tickets with alert and deliveries", reads.page, "/page")
		if err != nil {
			return err
		}
		t.add(r.judge(perSecond(1200)))
		if r, err = b.weigh(ctx, h, limit, "ticket by id", reads.ticket, "/ticket"); err != nil {
			return err
		}
		t.add(r.judge(perSecond(6000)))
		if err := limit.stop(); err != nil {
			return err
		}
		return h.stop()
	})
}

func (b *listBench) weigh(ctx context.Context, h *house, limit *process, name string, op func(c *caller, n int) error, path string) (row, error) {
	side := func(to target) func() (figures, error) {
		return func() (figures, error) { return load(ctx, b.Concurrency, b.Duration, to, op) }
	}
	return b.compare(fmt.Sprintf("%s, %s", name, counted(b.Concurrency, "client")),
		side(target{h.process, "/graphql", h.token}), side(target{limit, path, ""}))
}

// reads are the reads that are measured.
type reads struct{ page, ticket func(c *caller, n int) error }

// reads asks for tickets that are there. Answers must be whole: fifty tickets
// with all that was asked of each, or the one.
func (h *house) reads(ctx context.Context) (reads, error) {
	ids, err := h.ticketIDs(ctx)
	if err != nil {
		return reads{}, err
	}
	page := body(pageQuery, nil)
	bodies := make([][]byte, len(ids))
	for i, one := range ids {
		bodies[i] = body(ticketQuery, map[string]any{"id": one})
	}
	return reads{
		page: func(c *caller, _ int) error {
			text, err := c.post(page, `"openedAt"`)
			if err == nil && (bytes.Count(text, []byte(`"openedAt"`)) != 50 || bytes.Count(text, []byte(`"apiConfigName"`)) != 100 || bytes.Count(text, []byte(`"receivedAt"`)) != 50) {
				err = fmt.Errorf("the page is not whole: %.300s", text)
			}
			return err
		},
		ticket: func(c *caller, n int) error {
			_, err := c.post(bodies[n%len(bodies)], ids[n%len(ids)])
			return err
		},
	}, nil
}

func (h *house) ticketIDs(ctx context.Context) ([]string, error) {
	var data struct {
		Tickets struct{ Nodes []struct{ ID string } }
	}
	err := h.ask(ctx, `{ tickets(first: 100) { nodes { id } } }`, nil, &data)
	ids := make([]string, len(data.Tickets.Nodes))
	for i, n := range data.Tickets.Nodes {
		ids[i] = n.ID
	}
	return ids, err
}
