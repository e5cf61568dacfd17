package main

import (
	"context"
	"os"
	"time"
)

// allBench measures every path that has a goal, one after the other.
type allBench struct {
	Rounds   int           `help:"Turns of server and limit; the median counts." default:"3"`
	Duration time.Duration `help:"Length of a turn." default:"2s"`
	Rows     int           `help:"Alerts of the large books." default:"100000"`
	Seeded   string        `help:"Directory in which books are kept for the next run; else in the user's cache." type:"path" placeholder:"PATH"`
	Quick    bool          `help:"One short turn each, fewer subscribers, small books: shows that every path can be measured; its figures say little."`
	JSON     string        `name:"json" help:"Also write the rows to this file." type:"path" placeholder:"FILE"`
}

// path is one measurement of the table.
type path struct {
	name    string
	measure func(ctx context.Context, t *table) error
}

// Run prints the table. It fails when a path could not be measured; one that
// falls short of its goal is told by its row.
func (b *allBench) Run(ctx context.Context) error {
	t := newTable()
	for _, p := range b.paths() {
		ctx, end := withFleet(ctx)
		err := p.measure(ctx, t)
		end()
		if err != nil {
			t.fail(p.name, err)
		}
	}
	if b.JSON != "" {
		if err := t.save(b.JSON); err != nil {
			return err
		}
	}
	return t.print(os.Stdout)
}

func (b *allBench) paths() []path {
	turns := rounds{b.Rounds, b.Duration}
	raise := &raiseBench{rounds: turns, Concurrency: []int{64, 1}, Held: true}
	batch := &batchBench{rounds: turns, Concurrency: 4, Size: 100}
	list := &listBench{rounds: turns, Concurrency: 16, Rows: 10_000}
	fanout := &fanoutBench{rounds: turns, Subscribers: 1000, Flood: 400, Calm: 4 * time.Second}
	hold := &holdBench{Subscribers: 10_000}
	carry := &dispatchBench{rounds: turns, Deliveries: 20_000}
	steady := &steadyBench{Rate: 200, Duration: 10 * time.Second}
	growth := &growthBench{rounds: turns, Few: 10_000, Rows: b.Rows, Seeded: b.Seeded}
	rest := &restBench{Rows: b.Rows, Starts: 7, Seeded: b.Seeded}
	if b.Quick {
		turns = rounds{1, time.Second}
		raise.rounds, batch.rounds, list.rounds, fanout.rounds, carry.rounds, growth.rounds = turns, turns, turns, turns, turns, turns
		list.Rows, fanout.Subscribers, fanout.Flood, fanout.Calm = 2000, 200, 200, time.Second
		hold.Subscribers, carry.Deliveries, steady.Duration = 1000, 2000, 2*time.Second
		growth.Few, growth.Rows, rest.Rows, rest.Starts = 1000, 10_000, 10_000, 3
	}
	return []path{
		{"raise", raise.measure},
		{"raiseAlerts", batch.measure},
		{"lists", list.measure},
		{"subscribers", fanout.measure},
		{"subscribers held", hold.measure},
		{"deliveries", carry.measure},
		{"raise to receiver", steady.measure},
		{"growth", growth.measure},
		{"rest", rest.measure},
	}
}
