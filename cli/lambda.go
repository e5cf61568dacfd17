package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tocsin/dispatch"
)

// TestLambda runs a lambda as a server would, with the same limits; it asks no
// server.
type TestLambda struct {
	File   string `arg:"" help:"File of the lambda, in JavaScript or TypeScript."`
	Alert  string `help:"JSON file with fields of the alert to run it on; the others are those of a sample." placeholder:"FILE" env:"-" xor:"what"`
	Ticket string `help:"JSON file with the open ticket that the lambda sees; none unless given." placeholder:"FILE" env:"-" xor:"ticket"`
	Config string `name:"lambda-config" help:"JSON file with the object that the lambda reads as ctx.config." placeholder:"FILE" env:"-"`
	Cases  string `help:"JSON file with a list of cases {name, alert, expect}, as the lambda's tests in the API; each must pass." placeholder:"FILE" env:"-" xor:"what,ticket"`
}

// Help is the long help of the command.
func (*TestLambda) Help() string {
	return `Runs the lambda once and prints the alert that it returned, as JSON, or null
when it dropped the alert. What it logged, what it changed, and an error with its
place in <file> go to standard error. It sees the alert at its receivedAt.

With --cases it runs each case, and prints whether it passed. A case without
expect, or with null, passes when the alert is dropped.

Exit codes: 0 the lambda ran, also when it dropped the alert, and every case
passed; 1 it failed, or a case did; 2 the command line or a file is wrong, 130
interrupted.`
}

// Run runs the lambda in the sandbox.
func (t *TestLambda) Run(ctx context.Context, std IO, sandbox dispatch.Sandbox) error {
	trial, err := t.trial()
	if err != nil {
		return err
	}
	if t.Cases != "" {
		err = t.cases(ctx, std, sandbox, trial)
	} else {
		err = t.once(ctx, std, sandbox, trial)
	}
	if ctx.Err() != nil {
		return exit{codeInterrupted, "interrupted"}
	}
	return err
}

// trial reads the files.
func (t *TestLambda) trial() (dispatch.LambdaTrial, error) {
	source, err := readFile("FILE", t.File)
	if err != nil {
		return dispatch.LambdaTrial{}, err
	}
	trial := dispatch.LambdaTrial{Lambda: dispatch.Lambda{Source: string(source)}}
	for _, f := range []struct {
		flag, path string
		into       *dispatch.JSON
	}{{"--alert", t.Alert, &trial.Alert}, {"--ticket", t.Ticket, &trial.Ticket}, {"--lambda-config", t.Config, &trial.Lambda.Config}} {
		if *f.into, err = readObject(f.flag, f.path); err != nil {
			return trial, err
		}
	}
	if t.Cases != "" {
		err = readJSON("--cases", t.Cases, &trial.Lambda.Tests)
	}
	return trial, err
}

// once runs the lambda on the alert.
func (t *TestLambda) once(ctx context.Context, std IO, sandbox dispatch.Sandbox, trial dispatch.LambdaTrial) error {
	tried, err := trial.Run(ctx, sandbox)
	if err != nil {
		return exit{codeUsage, plainLines(err.Error())}
	}
	for _, line := range tried.Trace.Logs {
		fmt.Fprintln(std.Err, "log:", plain(line))
	}
	if tried.Trace.Error != nil {
		return fmt.Errorf("%s: %s", plain(t.File), plainLines(*tried.Trace.Error))
	}
	if tried.Dropped {
		fmt.Fprintln(std.Err, "the lambda dropped the alert")
		_, err := fmt.Fprintln(std.Out, "null")
		return err
	}
	for _, change := range changes(tried.Trace.Difference) {
		fmt.Fprintln(std.Err, "changed", plain(change))
	}
	var out bytes.Buffer
	if err := json.Indent(&out, tried.Output, "", "  "); err != nil {
		return fmt.Errorf("print the alert: %w", err)
	}
	_, err = fmt.Fprintln(std.Out, printable(out.String()))
	return err
}

// cases runs the lambda on each case.
func (t *TestLambda) cases(ctx context.Context, std IO, sandbox dispatch.Sandbox, trial dispatch.LambdaTrial) error {
	if len(trial.Lambda.Tests) == 0 {
		return exit{codeUsage, "--cases: there is none; give some such as [{\"name\": \"drops scanners\", \"alert\": {\"source\": \"nessus\"}, \"expect\": null}]"}
	}
	wrong, err := trial.Cases(ctx, sandbox)
	if refused, ok := errors.AsType[*dispatch.Refusal](err); ok {
		return exit{codeUsage, plain(refused.Error())}
	}
	if err != nil {
		return fmt.Errorf("%s: %s", plain(t.File), plainLines(err.Error()))
	}
	failed := 0
	for i, test := range trial.Lambda.Tests {
		if wrong[i] == "" {
			fmt.Fprintln(std.Out, "pass", plain(test.Name))
			continue
		}
		failed++
		fmt.Fprintf(std.Out, "FAIL %s: %s\n", plain(test.Name), plainLines(wrong[i]))
	}
	if failed > 0 {
		return exit{1, fmt.Sprintf("%d of %d cases failed", failed, len(wrong))}
	}
	return nil
}

// plainLines makes a text of several lines safe to print on a terminal.
func plainLines(text string) string {
	all := strings.Split(text, "\n")
	for i, line := range all {
		all[i] = plain(line)
	}
	return strings.Join(all, "\n")
}
