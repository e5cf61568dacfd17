// Package cli is the counter: the commands that speak to a running server as
// any client would, over HTTP and WebSocket. Raise hands in alerts from JSON
// lines, Watch prints what happens to tickets, DryRun tells what would follow
// from an alert. TestLambda alone asks no server: it runs a lambda in the sandbox
// that it is handed.
//
// It knows the public contract and nothing of the rooms behind it but the hub's
// trial of a lambda. It decides nothing about alerts, and keeps nothing between
// two runs: what makes a run repeatable is in the idempotency keys and the
// cursors.
package cli

import (
	"io"
	"strings"
	"unicode"
)

// IO is what a command reads and writes. Results go to Out; progress, what was
// rejected and what went wrong go to Err.
type IO struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Exit codes beside 0 and the plain failure, 1.
const (
	codeUsage       = 2
	codeExpired     = 3
	codeInterrupted = 130 // 128 and the number of SIGINT, as shells have it
)

// exit ends the program with a code. An empty text means that all has been said.
type exit struct {
	code int
	text string
}

func (e exit) Error() string { return e.text }

// ExitCode is the code that the program ends with.
func (e exit) ExitCode() int { return e.code }

// plain makes a text from outside safe to print on a terminal: one line, and no
// control or formatting characters.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}
