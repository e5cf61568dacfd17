package lambda

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/dispatch"
	"tocsin/lambda/internal/wire"
)

var _ dispatch.Sandbox = (*Crew)(nil)

// CheckLambda compiles a lambda and evaluates it as far as its default export.
func (c *Crew) CheckLambda(ctx context.Context, source string) error {
	answer, err := c.do(ctx, wire.Job{Do: wire.CheckLambda, Source: source, Now: time.Now().UnixMilli()})
	if err != nil {
		return err
	}
	return told(source, answer.Fault)
}

// RunLambda calls a lambda once. Its default export gets the alert and ctx, and
// returns the alert, null to drop it, or an object whose own property alert is
// one of the two and whose logs, a list, are added to the log.
//
// ctx is frozen and has now (a Date), ticket, action, config, log(…),
// cidr(ip, range), hash(text, "sha256" | "sha1" | "md5"), base64.encode(text) and
// decode(text), and parseUrl(text), which gives scheme, host, port, path, query
// and fragment, or null. console.log is the same as log. Date and Math.random
// follow from Now and Seed, and the time zone is UTC. There is no other global
// beside those of ECMAScript. Numbers are doubles: whole ones above 2^53 lose
// digits. What a lambda leaves for later, such as promises, never runs.
func (c *Crew) RunLambda(ctx context.Context, call dispatch.LambdaCall) dispatch.LambdaResult {
	began := time.Now()
	if size := len(call.Alert) + len(call.Config) + len(call.Ticket) + len(call.Action); size > maxJob {
		return dispatch.LambdaResult{Err: fmt.Errorf("alert and configuration are together %d bytes; a lambda takes at most %d MiB", size, maxJob>>20)}
	}
	answer, err := c.do(ctx, wire.Job{
		Do: wire.RunLambda, Source: call.Source, Alert: call.Alert, Config: call.Config, Ticket: call.Ticket, Action: call.Action,
		Now: call.Now.UnixMilli(), Seed: call.Seed,
	})
	result := dispatch.LambdaResult{Alert: answer.Alert, Logs: answer.Logs, Duration: time.Since(began), Err: err}
	if err == nil {
		result.Err = told(call.Source, answer.Fault)
	}
	if len(result.Alert) > c.o.Output {
		result.Err = fmt.Errorf("returned an alert of more than %d KiB", c.o.Output>>10)
	}
	if result.Err != nil {
		result.Alert = nil
	}
	return result
}

// CheckTemplate parses a template.
func (c *Crew) CheckTemplate(ctx context.Context, call dispatch.TemplateCall) error {
	answer, err := c.do(ctx, wire.Job{Do: wire.CheckTemplate, Source: call.Text, Form: call.Form})
	if err != nil {
		return err
	}
	return told(call.Text, answer.Fault)
}

// RenderTemplate fills in a template.
func (c *Crew) RenderTemplate(ctx context.Context, call dispatch.TemplateCall) dispatch.TemplateResult {
	if len(call.Data) > maxJob {
		return dispatch.TemplateResult{Err: fmt.Errorf("the data has %d bytes; a template takes at most %d MiB", len(call.Data), maxJob>>20)}
	}
	answer, err := c.do(ctx, wire.Job{Do: wire.RenderTemplate, Source: call.Text, Form: call.Form, Data: call.Data})
	if err == nil {
		err = told(call.Text, answer.Fault)
	}
	if err != nil {
		return dispatch.TemplateResult{Warnings: answer.Warnings, Err: err}
	}
	return dispatch.TemplateResult{Text: answer.Text, Warnings: answer.Warnings}
}

const toldPlaces = 5 // of a stack

// told is a fault as an error: with its line, a mark under the place, and where
// that was called from.
func told(source string, fault *wire.Fault) error {
	switch {
	case fault == nil:
		return nil
	case len(fault.Places) == 0:
		return errors.New(fault.Message)
	}
	var trail strings.Builder
	for _, p := range fault.Places[1:min(len(fault.Places), toldPlaces)] {
		fmt.Fprintf(&trail, "\n  called from line %d, column %d", p.Line, p.Column+1)
	}
	return fmt.Errorf("%w%s", mistakeAt(source, fault.Places[0].Line, fault.Places[0].Column, fault.Message), trail.String())
}
