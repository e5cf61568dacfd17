package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// ran is what an action's lambdas made of an alert.
type ran struct {
	alert    Alert
	change   JSON // the fields that differ in the end; nil without any
	traces   []LambdaTrace
	problems []string
	verdict  Verdict // "" when the alert goes on
	reason   string
}

// run runs an action's lambdas in order, once a planner: each gets what the one
// before returned. It is not ready inside the books, where nothing is run.
func (p *planner) run(ctx context.Context, action Action, open *OpenTicket) (r ran, ready bool) {
	if r, ok := p.ran[action.ID]; ok {
		return r, true
	}
	if p.closed {
		return ran{}, false
	}
	r = ran{alert: p.alert}
	change := map[string]JSON{}
	for _, id := range action.LambdaIDs {
		lambda, ok := p.cfg.Lambdas[id]
		if !ok {
			continue // deleted at this moment
		}
		changed := p.step(ctx, &r, lambda, action, open)
		if r.verdict != "" {
			break
		}
		maps.Copy(change, changed)
	}
	if len(change) > 0 {
		r.change = written(change)
	}
	if p.ran == nil {
		p.ran = map[string]ran{}
	}
	p.ran[action.ID] = r
	return r, true
}

// step runs one lambda on what came out of the one before.
func (p *planner) step(ctx context.Context, r *ran, lambda Lambda, action Action, open *OpenTicket) map[string]JSON {
	result := runLambda(ctx, p.sandbox, lambda, r.alert, shownTicket(ticketOf(open)), shownAction(action), p.now)
	r.traces = append(r.traces, result.trace)
	switch {
	case result.err != nil && lambda.OnError == StopOnError:
		r.verdict, r.reason = StoppedByLambda, fmt.Sprintf("the lambda %s failed and says STOP: %s", lambda.Name, result.err)
	case result.err != nil:
		r.problems = append(r.problems, fmt.Sprintf("the lambda %s failed and was passed over: %s", lambda.Name, result.err))
	case result.dropped:
		r.verdict, r.reason = DroppedByLambda, fmt.Sprintf("the lambda %s dropped the alert", lambda.Name)
	default:
		r.alert = result.alert
		return result.change
	}
	return nil
}

// lambdaRun is what one lambda made of one alert.
type lambdaRun struct {
	alert   Alert
	change  map[string]JSON
	dropped bool
	trace   LambdaTrace
	err     error
}

// maxTraceError bounds what a trace keeps of an error, in characters.
const maxTraceError = 2_000

func runLambda(ctx context.Context, sandbox Sandbox, lambda Lambda, a Alert, ticket, action JSON, now time.Time) lambdaRun {
	got := sandbox.RunLambda(ctx, LambdaCall{
		Source: lambda.Source, Alert: a.shown(), Config: lambda.Config, Ticket: ticket, Action: action, Now: now, Seed: a.ID,
	})
	out := lambdaRun{alert: a, err: got.Err, dropped: got.Err == nil && got.Alert == nil}
	out.trace = LambdaTrace{
		LambdaID: lambda.ID, Name: lambda.Name, Version: lambda.Version, Logs: got.Logs,
		DurationMS: float64(got.Duration.Microseconds()) / 1000,
	}
	if got.Err == nil && got.Alert != nil {
		out.alert, out.change, out.err = a.changed(got.Alert)
	}
	if out.err != nil {
		out.alert, out.change = a, nil
		out.err = errors.New(Cut(out.err.Error(), maxTraceError))
		text := out.err.Error()
		out.trace.Error = &text
	}
	out.trace.Changed, out.trace.Difference = len(out.change) > 0, a.difference(out.change)
	return out
}

// shownTicket is a ticket as lambdas see it; nil for none.
func shownTicket(t *Ticket) JSON {
	if t == nil {
		return nil
	}
	return written(map[string]any{
		"number": t.Number, "status": t.Status, "severity": t.Severity, "alertCount": t.AlertCount, "openedAt": t.OpenedAt,
	})
}

func shownAction(a Action) JSON {
	return written(map[string]any{"id": a.ID, "name": a.Name})
}
