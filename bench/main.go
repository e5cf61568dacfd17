// Package main is the scales: it puts our server under load beside a bare
// program that does the least that the same work needs, in turns in one run,
// and prints the ratio. Absolute figures depend on the machine and are for
// orientation; the ratio of one run is what may be compared.
//
// Server and limit run as processes of their own, this same binary executed
// again, so that their time on the processor is told apart from that of the
// load. Load, server and receivers share the machine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/alecthomas/kong"

	"tocsin/lambda"
	"tocsin/server"
)

// commands is the command line.
type commands struct {
	All      allBench      `cmd:"" help:"Every path with its goal and a verdict, in one table."`
	Raise    raiseBench    `cmd:"" help:"raiseAlert with two deliveries each, against a program that commits the same rows."`
	Batch    batchBench    `cmd:"" help:"raiseAlerts in batches, against a program that commits the same rows."`
	List     listBench     `cmd:"" help:"A page of 50 tickets with alert and deliveries, and a ticket by id, against the same SQL by hand."`
	Fanout   fanoutBench   `cmd:"" help:"One event to many subscribers, against a server that writes ready bytes."`
	Hold     holdBench     `cmd:"" help:"Memory of the server while many subscribers are connected."`
	Dispatch dispatchBench `cmd:"" help:"Deliveries to a webhook receiver, settled durably, against a plain HTTP client."`
	Steady   steadyBench   `cmd:"" help:"From the raise to the first byte at the receiver, at a steady rate."`
	Growth   growthBench   `cmd:"" help:"Raise, list, by id and resume on many rows, against the same on few."`
	Rest     restBench     `cmd:"" help:"Start, memory at rest and size of the program as it is shipped."`

	Lambda lambdaBench `cmd:"" help:"raiseAlert through an action with a lambda, against one without."`

	LimitRaise    limitRaise    `cmd:"" hidden:""`
	LimitList     limitList     `cmd:"" hidden:""`
	LimitFanout   limitFanout   `cmd:"" hidden:""`
	LimitDispatch limitDispatch `cmd:"" hidden:""`
}

// rounds are how often server and limit take turns, and for how long.
type rounds struct {
	Rounds   int           `help:"Turns of server and limit; the median counts." default:"3"`
	Duration time.Duration `help:"Length of a turn." default:"3s"`
}

func main() {
	lambda.Inside() // the workers of the server under load are this program
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(serve())
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // as the server has it: neither load nor limit is to lose by collecting
	}
	var c commands
	k := kong.Parse(&c, kong.Name("bench"), kong.Description("Load on Tocsin beside the limit of the same work."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // the process ends, and with it the signals
	}
}

// serve is our server. With BENCH_PROFILE it leaves a profile of its time on
// the processor in that file.
func serve() int {
	if path := os.Getenv("BENCH_PROFILE"); path != "" {
		path = fmt.Sprintf("%s.%d", path, os.Getpid())
		file, err := os.Create(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1
		}
		defer pprof.StopCPUProfile()
	}
	return server.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
