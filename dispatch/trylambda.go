package dispatch

import (
	"context"
	"fmt"
	"slices"
)

// LambdaTrial is a lambda that is tried without a desk, and what it is tried on.
type LambdaTrial struct {
	Lambda Lambda // Source, Config, and Tests for Cases
	Alert  JSON   // fields of an alert; the others are as in an alert of no special kind
	Ticket JSON   // ctx.ticket; nil for null
}

// Run runs the lambda once, at the time when the alert was received. The error
// says what is wrong with the trial; that the lambda failed is in the trace.
func (t LambdaTrial) Run(ctx context.Context, sandbox Sandbox) (LambdaTried, error) {
	l, err := t.lambda()
	if err != nil {
		return LambdaTried{}, err
	}
	a, err := sampleAlert(t.Alert)
	if err != nil {
		return LambdaTried{}, err
	}
	got := runLambda(ctx, sandbox, l, a, t.Ticket, nil, a.ReceivedAt)
	out := LambdaTried{Dropped: got.dropped, Trace: got.trace}
	if got.err == nil && !got.dropped {
		out.Output = got.alert.shown()
	}
	return out, nil
}

// Cases runs the lambda's tests as a change of it would: what is wrong with
// each, or "". The error says why none was run.
func (t LambdaTrial) Cases(ctx context.Context, sandbox Sandbox) ([]string, error) {
	l, err := t.lambda()
	if err != nil {
		return nil, err
	}
	if err := sandbox.CheckLambda(ctx, l.Source); err != nil {
		return nil, fmt.Errorf("source cannot be used: %w", err)
	}
	wrong := make([]string, len(l.Tests))
	for i, test := range l.Tests {
		wrong[i] = test.try(ctx, sandbox, t)
	}
	return wrong, nil
}

// try says what is wrong with a case, or "".
func (test LambdaTest) try(ctx context.Context, sandbox Sandbox, t LambdaTrial) string {
	t.Alert, t.Lambda.Tests = test.Alert, nil
	tried, err := t.Run(ctx, sandbox)
	dropping := test.Expect == nil
	switch {
	case err != nil:
		return err.Error()
	case tried.Trace.Error != nil:
		return *tried.Trace.Error
	case tried.Dropped && dropping:
		return ""
	case tried.Dropped:
		return "it dropped the alert"
	case dropping:
		return "it did not drop the alert"
	}
	return unlike(test.Expect, tried.Output)
}

// lambda is the checked one, whose expectations of null are nil.
func (t LambdaTrial) lambda() (Lambda, error) {
	l := t.Lambda
	l.Name, l.OnError, l.Tests = "draft", PassUnchanged, slices.Clone(l.Tests)
	var c checker
	l.check(&c)
	return l, refused(c.problems)
}
