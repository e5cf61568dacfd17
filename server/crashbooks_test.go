package server

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tocsin/fake/webhook"
)

// scene is a program that dies and is started again on the same books, and all
// who deal with it: clients that raise, listeners, and a receiver.
type scene struct {
	t         *testing.T
	program   *program
	hook      *webhook.Receiver
	load      *load
	begin     string // the ledger's cursor before the first alert
	listeners []*listener
	kills     int
}

// newScene sets the stage with the usual program, and leaves it running.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, hook: webhook.New(webhook.Options{Secrets: []string{signingSecret}}), program: &program{dir: t.TempDir()}}
	if err := s.hook.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.hook.Close() })
	s.program.start(t)
	s.program.hook(s.hook.URL())
	s.load = newLoad(s.program.api)
	for range 2 {
		s.listeners = append(s.listeners, newListener(s.program.api))
	}
	s.listeners[1].connections = 1 // it begins with the other transport
	s.begin = s.listeners[0].cursor
	return s
}

// tally is what a scene ended with.
type tally struct {
	runs, kills, answered, asked, lost, messages, repeats, connections, events, missing, repeated int
}

func (a tally) plus(b tally) tally {
	return tally{
		a.runs + b.runs, a.kills + b.kills, a.answered + b.answered, a.asked + b.asked, a.lost + b.lost,
		a.messages + b.messages, a.repeats + b.repeats, a.connections + b.connections, a.events + b.events, a.missing + b.missing, a.repeated + b.repeated,
	}
}

func (a tally) String() string {
	return fmt.Sprintf("runs %d, kills %d; answered %d, asked again %d, lost %d; messages %d, repeats with the id of the first %d; connections of listeners %d, events heard %d, missing %d, repeated %d",
		a.runs, a.kills, a.answered, a.asked, a.lost, a.messages, a.repeats, a.connections, a.events, a.missing, a.repeated)
}

// settle starts the usual program on what is left, lets it end its work, and
// holds everything against everything: answers, books, receiver, listeners.
func (s *scene) settle() tally {
	s.t.Helper()
	p := s.program
	p.build, p.env = nil, nil
	p.start(s.t)
	s.load.finish(s.t)
	last := p.raise(map[string]any{"behaviorModel": "Model", "summary": "the last", "key": "the last", "idempotencyKey": "the last"})
	s.load.note("the last", last.AlertID)
	sum := tally{runs: 1, kills: s.kills, answered: len(s.load.answered), asked: s.load.asked}
	s.accounting(len(s.load.answered))
	sum.lost = s.join()
	for _, d := range s.hook.Taken() {
		sum.messages++
		sum.repeats += d.Copies - 1
	}
	s.hearings(last.TicketID, &sum)
	p.end()
	s.integrity()
	return sum
}

// accounting waits until every promise is kept, and holds that there is one for
// each answered alert.
func (s *scene) accounting(alerts int) {
	s.t.Helper()
	var data struct {
		Accounting struct {
			Promised, Delivered, Pending, Uncertain, Failed, Canceled, Skipped int
			Balances                                                           bool
		}
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for data.Accounting.Delivered < alerts {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("not all of %d deliveries were made: %+v", alerts, data.Accounting)
		}
		s.program.ask(`{ accounting { promised delivered pending uncertain failed canceled skipped balances } }`, nil, &data)
		if !data.Accounting.Balances {
			s.t.Errorf("the accounts do not balance: %+v", data.Accounting)
		}
	}
	if data.Accounting.Promised != alerts || data.Accounting.Delivered != alerts {
		s.t.Errorf("accounting %+v, want %d promised and delivered", data.Accounting, alerts)
	}
}

// join holds the answers, the books and the receiver's list against each other,
// and tells how many answered alerts are not in the books as they were raised.
func (s *scene) join() (lost int) {
	s.t.Helper()
	booked := s.program.booked()
	joinLists(s.t, s.load.answered, booked, s.hook.Taken())
	summaries := s.program.summaries()
	for key, id := range s.load.answered {
		if summaries[id] != key {
			lost++
			s.t.Errorf("%s was answered with %s, which the books hold as %q", key, id, summaries[id])
		}
	}
	if n := len(s.load.answered); len(summaries) != n || len(booked) != n {
		s.t.Errorf("the books hold %d alerts and %d deliveries for %d answers", len(summaries), len(booked), n)
	}
	return lost
}

// summaries reads all alerts from the books: summary by id.
func (a api) summaries() map[string]string {
	a.t.Helper()
	out := map[string]string{}
	after := any(nil)
	for {
		var data struct {
			Alerts struct {
				Nodes    []struct{ ID, Summary string }
				PageInfo struct {
					HasNextPage bool
					EndCursor   string
				}
			}
		}
		a.ask(`query($after: String) { alerts(first: 100, after: $after) { nodes { id summary } pageInfo { hasNextPage endCursor } } }`,
			map[string]any{"after": after}, &data)
		for _, n := range data.Alerts.Nodes {
			out[n.ID] = n.Summary
		}
		if !data.Alerts.PageInfo.HasNextPage {
			return out
		}
		after = data.Alerts.PageInfo.EndCursor
	}
}

// hearings lets the listeners hear the rest, and compares each with what a fresh
// one hears from the beginning; that one must hear of each ticket's opening.
func (s *scene) hearings(last string, sum *tally) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	fresh := &listener{api: s.program.api, cursor: s.begin}
	if !fresh.hear(ctx, last) {
		s.t.Error("a fresh listener did not hear of the last ticket")
	}
	for i, l := range s.listeners {
		if !l.hear(ctx, last) {
			s.t.Errorf("listener %d did not hear of the last ticket", i)
		}
		missing, repeated, invented := gaps(l.heard, fresh.heard)
		if missing+repeated+invented > 0 {
			s.t.Errorf("listener %d over %d connections: %d events missing, %d repeated, %d that the books do not tell", i, l.connections, missing, repeated, invented)
		}
		*sum = sum.plus(tally{connections: l.connections, events: len(l.heard), missing: missing, repeated: repeated})
	}
	opened := 0
	for _, e := range fresh.heard {
		if opens.MatchString(e) {
			opened++
		}
	}
	if opened != len(s.load.answered) {
		s.t.Errorf("%d tickets were opened for %d answers", opened, len(s.load.answered))
	}
}

// integrity asks SQLite whether the file is whole.
func (s *scene) integrity() {
	s.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.program.dir, "tocsin.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	verdict := ""
	if err := db.QueryRowContext(s.t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		s.t.Errorf("integrity_check says %q, %v", verdict, err)
	}
}
