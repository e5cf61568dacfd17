package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Watch prints ticket events as they come: every event after a place in the
// ledger, each once and in order, over lost connections too.
type Watch struct {
	Server Server `embed:""`
	After  string `help:"Cursor to go on from, such as the last one that was printed; without it, what happens from now on." placeholder:"CURSOR" env:"-"`
	JSON   bool   `name:"json" help:"Print each event as a JSON object on a line of its own, with its cursor." env:"-"`
}

// Help is the long help of the command.
func (*Watch) Help() string {
	return `Prints a line for each ticket event on standard output, and on standard error
why a connection was lost. It connects again by itself, for as long as it takes,
and goes on after the last event that it printed: none is missing, none comes
twice. When it ends it tells the cursor to go on from.

The token needs the scope READ.

Exit codes: 1 the server refused or the output could not be written, 2 the
command line is wrong, 3 the ledger no longer holds what follows the cursor,
130 interrupted.`
}

// Run prints events until it is interrupted or nothing but a person can help.
func (w *Watch) Run(ctx context.Context, std IO) error {
	c, err := w.Server.client("READ")
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections()
	watching := &watcher{client: c, given: w.After, after: w.After, line: humanLine, out: std.Out, err: std.Err}
	if w.JSON {
		watching.line = jsonLine
	}
	return watching.ended(ctx, watching.run(ctx))
}

// watcher follows the ticket events over as many connections as it takes.
type watcher struct {
	client *client
	given  string // the cursor of the command line
	after  string // of the event that was printed last; where the next connection goes on
	line   func(event) string
	out    io.Writer
	err    io.Writer
}

// maxAsked is how long a server may ask a watcher to wait.
const maxAsked = 5 * time.Minute

// run follows until ctx ends or trying again is no cure. It never returns nil.
func (w *watcher) run(ctx context.Context) error {
	wait := backoff{least: 500 * time.Millisecond, most: 15 * time.Second}
	for {
		began, from := time.Now(), w.after
		err := w.follow(ctx)
		f, ok := errors.AsType[*fault](err)
		if ctx.Err() != nil || !ok || f.cure != again {
			return err
		}
		if w.after != from || time.Since(began) > wait.most {
			wait.tries = 0 // the connection was a good one
		}
		pauseFor := wait.next(min(f.after, maxAsked))
		fmt.Fprintf(w.err, "trying again in %s: %s\n", pauseFor.Round(100*time.Millisecond), f)
		if err := pause(ctx, pauseFor); err != nil {
			return err
		}
	}
}

// follow is one connection. The first learns where the ledger ends, so that
// nothing is missed if it breaks off before its first event.
func (w *watcher) follow(ctx context.Context) error {
	if w.after == "" {
		cursor, err := w.client.ledgerCursor(ctx)
		if err != nil {
			return err
		}
		w.after = cursor
	}
	return w.client.subscribe(ctx, w.after, w.take)
}

// take prints the event of one answer. Only then the cursor moves on.
func (w *watcher) take(payload json.RawMessage) error {
	var got struct {
		Data struct {
			TicketEvents event `json:"ticketEvents"`
		} `json:"data"`
		Errors []graphError `json:"errors"`
	}
	err := json.Unmarshal(payload, &got)
	if f := w.client.faultOf(http.StatusOK, got.Errors); f != nil {
		return f
	}
	e := got.Data.TicketEvents
	if err != nil || e.Cursor == "" {
		return w.client.stranger()
	}
	if _, err := fmt.Fprintln(w.out, w.line(e)); err != nil {
		return fmt.Errorf("print an event: %w", err)
	}
	w.after = e.Cursor
	return nil
}

// ended says why it ended, and how to go on.
func (w *watcher) ended(ctx context.Context, err error) error {
	how := ""
	if w.after != "" {
		how = "; to go on from here give --after " + plain(w.after)
	}
	f, ok := errors.AsType[*fault](err)
	switch {
	case ctx.Err() != nil:
		return exit{codeInterrupted, "interrupted" + how}
	case ok && f.expired:
		return exit{codeExpired, fmt.Sprintf("--after %s: the ledger no longer holds what follows this cursor; look at the tickets as they are now, then watch without --after", plain(w.after))}
	case ok && f.cure == smaller && w.given != "":
		return exit{codeUsage, fmt.Sprintf("--after: %s; give a cursor that watch printed, or leave it out to begin now", f)}
	}
	return fmt.Errorf("%w%s", err, how)
}
