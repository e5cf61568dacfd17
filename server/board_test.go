package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestBoard is a board by the book: it lists with the ledger's cursor,
// subscribes after it with a filter, loses its connection at random, and equals
// a fresh list at the end.
func TestBoard(t *testing.T) {
	a := open(t, nil)
	a.made("createAction", "action", map[string]any{
		"name": "All", "allModels": true,
		"apiConfigIds": []string{a.made("createApiConfig", "apiConfig", map[string]any{"actorType": "notification"})},
	})
	const changes, perSecond = 800, 200
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		a.changeSomething(random, nil)
	}
	b := newBoard(a)
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan error, 1)
	go func() { followed <- b.follow(ctx, rand.New(rand.NewPCG(3, 4))) }()
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	var ids []string
	for range changes {
		<-tick.C
		if id := a.changeSomething(random, ids); id != "" {
			ids = append(ids, id)
		}
	}
	last := a.raise(map[string]any{"behaviorModel": "Model", "summary": "the last", "key": "the last"})
	select {
	case <-b.saw(last.TicketID):
	case <-time.After(patience):
		t.Fatal("the board never saw the last ticket")
	}
	cancel()
	if err := <-followed; err != nil {
		t.Fatal(err)
	}
	fresh := newBoard(a)
	for id, version := range fresh.rows {
		if b.rows[id] != version {
			t.Errorf("the board has %s at version %d, a fresh list at %d", id, b.rows[id], version)
		}
	}
	for id := range b.rows {
		if _, ok := fresh.rows[id]; !ok {
			t.Errorf("the board still shows %s", id)
		}
	}
	t.Logf("%d changes, %d events, %d connections, %d rows", changes, b.events, b.connections, len(b.rows))
	if b.connections < 5 {
		t.Errorf("the board connected only %d times", b.connections)
	}
}

// changeSomething opens a ticket, or moves one of those.
func (a api) changeSomething(random *rand.Rand, ids []string) (opened string) {
	a.t.Helper()
	if len(ids) == 0 || random.IntN(3) == 0 {
		return a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in", "key": fmt.Sprint(random.Int())}).TicketID
	}
	move := []string{"acknowledgeTickets", "closeTickets", "reopenTickets"}[random.IntN(3)]
	_, _, err := a.post(a.t.Context(), fmt.Sprintf(`mutation($id: ID!) { %s(input: {tickets: [{id: $id}]}) { userErrors { message } } }`, move),
		map[string]any{"id": ids[random.IntN(len(ids))]}) // a move that is not allowed is refused, as it should be
	if err != nil {
		a.t.Error(err)
	}
	return ""
}

// board shows the tickets that are not closed.
type board struct {
	api         api
	rows        map[string]int // version by id
	versions    map[string]int // the newest known, also of tickets that left
	cursor      string
	awaited     chan string
	seen        chan struct{}
	connections int
	events      int
}

var notClosed = map[string]any{"statuses": []string{"OPEN", "ACKNOWLEDGED"}}

// newBoard reads the list; its cursor is that of the first page, so what
// happens while the others are read comes again, and versions tell the newer.
func newBoard(a api) *board {
	a.t.Helper()
	b := &board{api: a, rows: map[string]int{}, versions: map[string]int{}, awaited: make(chan string, 1), seen: make(chan struct{})}
	after := any(nil)
	for {
		var data struct {
			Tickets struct {
				LedgerCursor string
				Nodes        []struct {
					ID      string
					Version int
				}
				PageInfo struct {
					HasNextPage bool
					EndCursor   string
				}
			}
		}
		a.ask(`query($filter: TicketFilter, $after: String) { tickets(first: 100, filter: $filter, after: $after) {
			ledgerCursor nodes { id version } pageInfo { hasNextPage endCursor } } }`, map[string]any{"filter": notClosed, "after": after}, &data)
		if b.cursor == "" {
			b.cursor = data.Tickets.LedgerCursor
		}
		for _, n := range data.Tickets.Nodes {
			b.rows[n.ID], b.versions[n.ID] = n.Version, n.Version
		}
		if !data.Tickets.PageInfo.HasNextPage {
			return b
		}
		after = data.Tickets.PageInfo.EndCursor
	}
}

// saw is closed when the board shows a ticket.
func (b *board) saw(id string) <-chan struct{} {
	b.awaited <- id
	return b.seen
}

// follow applies events, over connections that it leaves at random, now by
// WebSocket, now by server-sent events, until ctx ends.
func (b *board) follow(ctx context.Context, random *rand.Rand) error {
	for ctx.Err() == nil {
		once, leave := context.WithCancel(ctx)
		b.connections++
		connect := b.api.socket
		if b.connections%2 == 0 {
			connect = b.api.stream
		}
		events, err := connect(once, ticketEvents, map[string]any{"after": b.cursor, "filter": notClosed})
		if err != nil {
			leave()
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it was asked to end
			}
			return err
		}
		limit := time.After(time.Duration(random.IntN(400)) * time.Millisecond)
		b.apply(events, limit)
		leave()
		for range events {
		}
	}
	return nil
}

func (b *board) apply(events <-chan event, limit <-chan time.Time) {
	awaited := ""
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			b.put(e)
		case awaited = <-b.awaited:
		case <-limit:
			if awaited != "" {
				b.awaited <- awaited
			}
			return
		}
		if _, ok := b.rows[awaited]; ok {
			close(b.seen)
			awaited = ""
		}
	}
}

func (b *board) put(e event) {
	b.events++
	b.cursor = e.Cursor
	if e.TicketVersion < b.versions[e.Ticket.ID] {
		return
	}
	b.versions[e.Ticket.ID] = e.TicketVersion
	if e.MatchesNow {
		b.rows[e.Ticket.ID] = e.TicketVersion
	} else {
		delete(b.rows, e.Ticket.ID)
	}
}
