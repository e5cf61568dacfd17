// Package server is the house: it reads the configuration of the program,
// wires the rooms together, and serves them over HTTP. It is the only room
// that imports all others; it decides nothing about alerts.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"tocsin/cli"
)

// commands is the whole command line. Every flag that is not about a single run
// can be given as TOCSIN_… in the environment, and all in a JSON file by --config.
type commands struct {
	Config  kong.ConfigFlag  `help:"JSON file with flags by name, such as {\"public-url\": \"https://tocsin.example.com\"}." env:"TOCSIN_CONFIG" type:"existingfile" placeholder:"FILE"`
	Version kong.VersionFlag `help:"Print the version and end." env:"-"`

	Serve  Serve      `cmd:"" help:"Run the server."`
	Token  Token      `cmd:"" help:"Make, list and revoke API tokens in the database, also beside a running server."`
	Backup Backup     `cmd:"" help:"Copy the database to a file, also beside a running server."`
	Raise  cli.Raise  `cmd:"" help:"Raise alerts from JSON lines: of the API, of Suricata, of Falco."`
	Watch  cli.Watch  `cmd:"" help:"Print ticket events as they come, over lost connections too."`
	DryRun cli.DryRun `cmd:"" help:"Tell what would follow from an alert, and do nothing."`
	Lambda Lambda     `cmd:"" help:"Try lambdas, without a server."`
	Fake   Fake       `cmd:"" help:"Run a fake of an external system, to try everything without an account."`
}

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// Main runs the program and returns its exit code: 0 when all went well, 1 when
// it did not, 2 when the command line was wrong; the client commands have more.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	var c commands
	parser, err := kong.New(&c, kong.Name("tocsin"),
		kong.Description("Tocsin turns security alerts into action."),
		kong.Vars{"version": Version()}, kong.Configuration(readFlags),
		kong.DefaultEnvars("TOCSIN"), kong.Writers(out, errs), kong.UsageOnError())
	if err != nil {
		fmt.Fprintln(errs, "tocsin:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(errs, "tocsin:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends a program that does not end by the first
	k.BindTo(ctx, (*context.Context)(nil))
	k.Bind(streams{in, out, errs}, cli.IO{In: in, Out: out, Err: errs})
	err = k.Run()
	var code interface{ ExitCode() int }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		if text := err.Error(); text != "" {
			fmt.Fprintln(errs, "tocsin:", text)
		}
		return code.ExitCode()
	default:
		fmt.Fprintln(errs, "tocsin:", err)
		return 1
	}
}

// Version is the version that the binary was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
