package db

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// raise is an alert on its way into the books.
type raise struct {
	member *dispatch.Raising
	result dispatch.Raised
}

// Raise implements dispatch.RaiseStore.
func (b *books) Raise(ctx context.Context, members []dispatch.Raising) []dispatch.Raised {
	if len(members) == 0 {
		return nil
	}
	members = slices.Clone(members) // outlives a caller that gives up
	j := &job{raises: make([]*raise, len(members))}
	for i := range members {
		j.raises[i] = &raise{member: &members[i]}
		j.names = append(j.names, lockNames(members[i])...)
	}
	err := b.writer.do(ctx, j)
	results := make([]dispatch.Raised, len(members))
	for i := range results {
		if err != nil {
			results[i] = dispatch.Raised{Err: err}
			continue
		}
		results[i] = j.raises[i].result
	}
	return results
}

// lockNames are what must hold still while a member is stored.
func lockNames(m dispatch.Raising) []string {
	names := []string{ticketLock(m.Alert.DedupKey)}
	if m.Repeat != nil {
		names = append(names, repeatLock(*m.Repeat))
	}
	return names
}

// ticketLock is held by whoever writes a ticket with that dedup key.
func ticketLock(dedupKey string) string { return "ticket " + dedupKey }

// OpenTickets implements dispatch.RaiseStore.
func (b *books) OpenTickets(ctx context.Context, dedupKeys []string) (map[string]dispatch.OpenTicket, error) {
	return openTickets(ctx, b.pool, dedupKeys)
}

func openTickets(ctx context.Context, db sqlc.DBTX, dedupKeys []string) (map[string]dispatch.OpenTicket, error) {
	rows, err := ticketTable.by(ctx, db, "dedup_key", dedupKeys, " AND x.status <> 'CLOSED'")
	if err != nil {
		return nil, fmt.Errorf("open tickets: %w", err)
	}
	open := make(map[string]dispatch.OpenTicket, len(rows))
	for _, row := range rows {
		t, err := openTicketOf(row)
		if err != nil {
			return nil, err
		}
		open[t.DedupKey] = t
	}
	return open, nil
}

// intake gathers the rows of alerts that are raised in one transaction.
type intake struct {
	t       *tx
	version int64                     // of the configuration
	open    map[string]*standing      // by dedup key
	answers map[repeatKey]*keptAnswer // given in this transaction
	touched []*standing               // in order
	tickets int64                     // the number of the last one; 0 before it is read
	first   int64                     // what it was when it was read
	alerts  []sqlc.Alert
	decided []sqlc.Decision
	queued  []sqlc.Delivery
	begun   []sqlc.Attempt
	behind  []string // order keys of what may have to wait for another delivery
}

// standing is a ticket as it stands within the transaction.
type standing struct {
	dispatch.OpenTicket
	isNew, isTouched bool
}

// raise stores alerts with what follows from them. An error fails all of them;
// what is wrong with one alone is in its result.
func (t *tx) raise(ctx context.Context, raises []*raise) error {
	if len(raises) == 0 {
		return nil
	}
	raises = slices.Clone(raises)
	slices.SortStableFunc(raises, inOrder)
	in, err := t.intake(ctx, raises)
	if err != nil {
		return err
	}
	for _, r := range raises {
		if err := in.take(ctx, r); err != nil {
			return err
		}
	}
	return in.write(ctx)
}

// inOrder is the same in every process, so that none waits for another in a circle.
func inOrder(a, b *raise) int {
	return cmp.Or(cmp.Compare(keyOf(a), keyOf(b)), cmp.Compare(a.member.Alert.DedupKey, b.member.Alert.DedupKey))
}

func keyOf(r *raise) string {
	if r.member.Repeat == nil {
		return ""
	}
	return r.member.Repeat.Key
}

func (t *tx) intake(ctx context.Context, raises []*raise) (*intake, error) {
	version, err := t.Counter(ctx, configurationCounter)
	if err != nil {
		return nil, fmt.Errorf("configuration version: %w", err)
	}
	keys := make([]string, len(raises))
	for i, r := range raises {
		keys[i] = r.member.Alert.DedupKey
	}
	slices.Sort(keys)
	open, err := openTickets(ctx, t.session, slices.Compact(keys))
	if err != nil {
		return nil, err
	}
	in := &intake{t: t, version: version, open: map[string]*standing{}, answers: map[repeatKey]*keptAnswer{}}
	for key, ticket := range open {
		in.open[key] = &standing{OpenTicket: ticket}
	}
	return in, nil
}

// take notes one member: its first answer, its refusal, or all of its rows.
func (in *intake) take(ctx context.Context, r *raise) error {
	m := r.member
	answered, err := in.repeated(ctx, r)
	if err != nil || answered {
		return err
	}
	if m.ConfigurationVersion != in.version {
		r.result = dispatch.Raised{Err: dispatch.ErrStale}
		return nil
	}
	if m.Alert.Severity.Rank() < 0 {
		r.result = dispatch.Raised{Err: fmt.Errorf("alert %s: severity %q is not one", m.Alert.ID, m.Alert.Severity)}
		return nil
	}
	plan := m.Plan
	current := in.open[m.Alert.DedupKey]
	if hasMoved(m.Open, current) && m.Replan != nil {
		plan = m.Replan(current.view())
	}
	if plan.Unready {
		r.result = dispatch.Raised{Err: dispatch.ErrStale}
		return nil
	}
	if err := in.store(ctx, r, plan); err != nil {
		return err
	}
	if m.Repeat != nil {
		in.answers[keyedBy(*m.Repeat)] = &keptAnswer{repeat: *m.Repeat, answer: encodeRaised(r.result), at: m.Alert.ReceivedAt}
	}
	return nil
}

// repeated answers a key that came before.
func (in *intake) repeated(ctx context.Context, r *raise) (bool, error) {
	if r.member.Repeat == nil {
		return false, nil
	}
	repeat := *r.member.Repeat
	if kept, ok := in.answers[keyedBy(repeat)]; ok {
		if !bytes.Equal(kept.repeat.Input, repeat.Input) {
			r.result = dispatch.Raised{Err: dispatch.ErrKeyReused}
			return true, nil
		}
		var err error
		r.result, err = decodeRaised(kept.answer)
		return true, err
	}
	answer, err := in.t.repeated(ctx, &repeat, r.member.Alert.ReceivedAt)
	switch {
	case isKeyReused(err):
		r.result = dispatch.Raised{Err: err}
		return true, nil
	case err != nil || answer == nil:
		return false, err
	}
	r.result, err = decodeRaised(*answer)
	return true, err
}

func hasMoved(planned *dispatch.OpenTicket, current *standing) bool {
	if planned == nil || current == nil {
		return planned != nil || current != nil
	}
	return planned.ID != current.ID || planned.Version != current.Version
}

// view is what a plan sees; nil where there is no ticket.
func (s *standing) view() *dispatch.OpenTicket {
	if s == nil {
		return nil
	}
	open := s.OpenTicket
	return &open
}

// store notes the rows of an alert.
func (in *intake) store(ctx context.Context, r *raise, plan dispatch.Plan) error {
	alert := r.member.Alert
	ticket, err := in.ticket(ctx, alert, plan)
	if err != nil {
		return err
	}
	r.result = dispatch.Raised{AlertID: alert.ID}
	if ticket != nil {
		id, number, status := ticket.ID, ticket.Number, ticket.Status
		alert.TicketID = &id
		r.result.TicketID, r.result.TicketNumber, r.result.TicketStatus = &id, &number, &status
	}
	in.alerts = append(in.alerts, alertRow(alert))
	for i, d := range plan.Decisions {
		in.decided = append(in.decided, decisionRow(d, alert, i))
	}
	in.t.promise(plan.Promised)
	orders := map[string]bool{}
	for _, d := range plan.Deliveries {
		d.TicketID = alert.TicketID
		first := ticket != nil && ticket.AlertCount == 1 && !orders[d.OrderKey()]
		orders[d.OrderKey()] = true
		if first {
			in.begin(r, &d, alert, ticket.Ticket)
		} else if ticket != nil {
			in.behind = append(in.behind, d.OrderKey())
		}
		in.queued = append(in.queued, freshDelivery(d))
		in.t.noteDelivery(d.ID, "", d.Status, d.CreatedAt)
		r.result.DeliveryIDs = append(r.result.DeliveryIDs, d.ID)
		if d.LeasedUntil == nil && !slices.Contains(r.result.ActorIDs, d.ActorID) {
			r.result.ActorIDs = append(r.result.ActorIDs, d.ActorID)
		}
	}
	return nil
}

// begin leases a delivery where somebody waits to carry it.
func (in *intake) begin(r *raise, d *dispatch.Delivery, alert dispatch.Alert, ticket dispatch.Ticket) {
	if r.member.Begin == nil {
		return
	}
	if d.LeasedUntil = r.member.Begin(*d); d.LeasedUntil == nil {
		return
	}
	d.Attempt = 1
	in.begun = append(in.begun, sqlc.Attempt{DeliveryID: d.ID, Number: 1, StartedAt: ms(alert.ReceivedAt)})
	r.result.Begun = append(r.result.Begun, dispatch.Claimed{Delivery: *d, Alert: alert, Ticket: &ticket})
}

func decisionRow(d dispatch.Decision, a dispatch.Alert, position int) sqlc.Decision {
	var trace *string
	if len(d.Trace.Condition)+len(d.Trace.Lambdas) > 0 {
		raw := clean(encode(d.Trace))
		trace = &raw
	}
	return sqlc.Decision{
		AlertID: a.ID, Position: wide(position), ActionID: d.ActionID, ActionName: d.ActionName, Verdict: text(d.Verdict),
		Reason: clean(d.Reason), Problems: encode(d.Problems), DecidedAt: ms(a.ReceivedAt), Trace: trace,
	}
}

// freshDelivery is due at once unless it says when.
func freshDelivery(d dispatch.Delivery) sqlc.Delivery {
	if d.NextAttemptAt == nil {
		d.NextAttemptAt = &d.CreatedAt
	}
	return deliveryRow(d)
}

// ticket is the ticket that the alert belongs to: none, one that it joins, or
// one that it opens.
func (in *intake) ticket(ctx context.Context, a dispatch.Alert, plan dispatch.Plan) (*standing, error) {
	if plan.Ticket == dispatch.NoTicket || plan.Ticket == "" {
		return nil, nil //nolint:nilnil // no ticket is an answer
	}
	current := in.open[a.DedupKey]
	if plan.Ticket == dispatch.PerAlert || current == nil {
		number, err := in.number(ctx)
		if err != nil {
			return nil, err
		}
		current = in.opened(a, plan, number)
	} else {
		in.join(current, a)
	}
	for _, action := range plan.Fired {
		current.Fired[action] = a.ReceivedAt
	}
	if !current.isTouched {
		current.isTouched = true
		in.touched = append(in.touched, current)
	}
	return current, nil
}

// number is the next ticket's; reading the counter also locks it.
func (in *intake) number(ctx context.Context) (int, error) {
	if in.tickets == 0 {
		last, err := in.t.AddToCounter(ctx, sqlc.AddToCounterParams{Name: ticketCounter})
		if err != nil {
			return 0, fmt.Errorf("ticket number: %w", err)
		}
		in.tickets, in.first = last, last
	}
	in.tickets++
	return int(in.tickets), nil
}

// opened is a new ticket. That of a single alert has a dedup key of its own, so
// that nothing joins it.
func (in *intake) opened(a dispatch.Alert, plan dispatch.Plan, number int) *standing {
	s := &standing{OpenTicket: dispatch.OpenTicket{Ticket: plan.NewTicket, Fired: map[string]time.Time{}}, isNew: true}
	if plan.Ticket == dispatch.PerAlert {
		s.DedupKey = a.DedupKey + "#" + a.ID
	} else {
		in.open[a.DedupKey] = s
	}
	s.Number = number
	e := in.t.noteTicket(dispatch.EventOpened, nil, s.Ticket, a.RaisedBy, a.ReceivedAt)
	e.AlertID = &a.ID
	return s
}

func (in *intake) join(s *standing, a dispatch.Alert) {
	before := s.Ticket
	s.Ticket = before.Join(a)
	joined := s.Ticket
	joined.Severity = before.Severity
	e := in.t.noteTicket(dispatch.EventAlertJoined, &before, joined, a.RaisedBy, a.ReceivedAt)
	e.AlertID = &a.ID
	if s.Severity != before.Severity {
		e = in.t.noteTicket(dispatch.EventSeverityChanged, &before, s.Ticket, a.RaisedBy, a.ReceivedAt)
		e.AlertID = &a.ID
	}
}

// write inserts what was gathered, several rows with each statement.
func (in *intake) write(ctx context.Context) error {
	if err := in.writeTickets(ctx); err != nil {
		return fmt.Errorf("tickets: %w", err)
	}
	if err := alertTable.insert(ctx, in.t.session, in.alerts); err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	ids := make([]string, len(in.alerts))
	for i, a := range in.alerts {
		ids[i] = a.ID
	}
	if err := in.t.indexWords(ctx, alertTable.name, ids); err != nil {
		return err
	}
	if err := decisionTable.insert(ctx, in.t.session, in.decided); err != nil {
		return fmt.Errorf("decisions: %w", err)
	}
	if err := in.holdBack(ctx); err != nil {
		return fmt.Errorf("order of deliveries: %w", err)
	}
	if err := deliveryTable.insert(ctx, in.t.session, in.queued); err != nil {
		return fmt.Errorf("deliveries: %w", err)
	}
	if err := attemptTable.insert(ctx, in.t.session, in.begun); err != nil {
		return fmt.Errorf("attempts: %w", err)
	}
	return in.keepAnswers(ctx)
}

func (in *intake) writeTickets(ctx context.Context) error {
	var fresh []sqlc.Ticket
	var ids []string
	for _, s := range in.touched {
		row := ticketRow(s.Ticket, s.Fired)
		if s.isNew {
			fresh, ids = append(fresh, row), append(ids, s.ID)
			continue
		}
		if err := in.t.ChangeTicket(ctx, changeOf(row)); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if _, err := in.t.AddToCounter(ctx, sqlc.AddToCounterParams{Name: ticketCounter, Add: in.tickets - in.first}); err != nil {
		return err
	}
	if err := ticketTable.insert(ctx, in.t.session, fresh); err != nil {
		return err
	}
	return in.t.indexWords(ctx, ticketTable.name, ids)
}

func changeOf(r sqlc.Ticket) sqlc.ChangeTicketParams {
	return sqlc.ChangeTicketParams{
		ID: r.ID, Status: r.Status, Severity: r.Severity, RiskScore: r.RiskScore, Assignee: r.Assignee, AlertCount: r.AlertCount,
		LastAlertAt: r.LastAlertAt, AcknowledgedAt: r.AcknowledgedAt, AcknowledgedBy: r.AcknowledgedBy, ClosedAt: r.ClosedAt,
		ClosedBy: r.ClosedBy, UpdatedAt: r.UpdatedAt, Version: r.Version, Fired: r.Fired,
	}
}

// indexWords puts rows into the search.
func (t *tx) indexWords(ctx context.Context, table string, ids []string) error {
	for len(ids) > 0 {
		n := min(len(ids), 128)
		var args []any
		statement := t.engine.indexWords[table] + " WHERE " + in("id", ids[:n], &args)
		if _, err := t.session.ExecContext(ctx, statement, args...); err != nil {
			return fmt.Errorf("search of %s: %w", table, err)
		}
		ids = ids[n:]
	}
	return nil
}

func (in *intake) keepAnswers(ctx context.Context) error {
	for _, kept := range in.answers {
		if err := in.t.remember(ctx, &kept.repeat, kept.answer, kept.at); err != nil {
			return err
		}
	}
	return nil
}
