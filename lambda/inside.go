package lambda

import (
	"os"

	"tocsin/lambda/internal/inside"
)

// workerName is what a worker is called in place of the program: a name that
// nobody types by accident, and that shows in a list of processes.
const workerName = "tocsin-lambda-worker"

// Inside is the first line of main, and of TestMain where tests use a Crew:
// workers are this same program, started again. In a worker it does the
// worker's work and ends the process; elsewhere it returns at once.
func Inside() {
	if !isWorker() {
		return
	}
	if err := inside.Serve(os.Args[1], os.Stdin, os.Stdout); err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

func isWorker() bool { return len(os.Args) == 2 && os.Args[0] == workerName }
