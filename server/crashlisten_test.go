package server

import (
	"context"
	"fmt"
	"slices"
)

// listener hears the tickets' events through the lives of a program, now by
// WebSocket, now by server-sent events, each time after the last cursor it heard.
type listener struct {
	api         api
	cursor      string
	heard       []string
	connections int
}

func newListener(a api) *listener {
	a.t.Helper()
	var data struct{ Tickets struct{ LedgerCursor string } }
	a.ask(`{ tickets(first: 1) { ledgerCursor } }`, nil, &data)
	return &listener{api: a, cursor: data.Tickets.LedgerCursor}
}

// listen hears what comes on one connection until the connection or ctx ends, or
// the ticket's opening has come; that tells whether it has.
func (l *listener) listen(ctx context.Context, until string) bool {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	connect := l.api.socket
	if l.connections++; l.connections%2 == 0 {
		connect = l.api.stream
	}
	events, err := connect(ctx, ticketEvents, map[string]any{"after": l.cursor})
	if err != nil {
		return false
	}
	for e := range events {
		l.cursor = e.Cursor
		l.heard = append(l.heard, fmt.Sprintf("%s %s of %s at version %d", e.Cursor, e.Kind, e.Ticket.ID, e.TicketVersion))
		if e.Kind == "OPENED" && e.Ticket.ID == until {
			return true
		}
	}
	return false
}

// hear listens, over as many connections as it takes, until the ticket's opening
// has come; false when ctx ended before.
func (l *listener) hear(ctx context.Context, until string) bool {
	for ctx.Err() == nil {
		if l.listen(ctx, until) {
			return true
		}
	}
	return false
}

// gaps compares what was heard with what one heard to whom the books told all
// from the beginning: how many events were missed, were heard more than once, or are not in the books.
func gaps(heard, books []string) (missing, repeated, invented int) {
	times := map[string]int{}
	for _, e := range heard {
		times[e]++
	}
	for _, e := range books {
		switch n := times[e]; {
		case n == 0:
			missing++
		case n > 1:
			repeated += n - 1
		}
		delete(times, e)
	}
	if invented = len(times); missing+repeated+invented == 0 && !slices.Equal(heard, books) {
		invented = len(heard) // in another order
	}
	return missing, repeated, invented
}
