package server

import (
	"context"
	"errors"
	"log/slog"

	"tocsin/cli"
)

// Lambda is the command for lambdas; it needs no server.
type Lambda struct {
	Test TestLambda `cmd:"" help:"Run a lambda on an alert, or on cases, with the limits of a server."`
}

// TestLambda is the command of cli in a sandbox of its own.
type TestLambda struct {
	cli.TestLambda
	Sandbox
}

// Run runs the lambda in this program's workers.
func (t *TestLambda) Run(ctx context.Context, std cli.IO) error {
	if err := errors.Join(t.check()...); err != nil {
		return err
	}
	crew := t.crew(slog.New(slog.DiscardHandler))
	defer crew.Close()
	return t.TestLambda.Run(ctx, std, crew)
}
