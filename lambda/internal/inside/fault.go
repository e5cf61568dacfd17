package inside

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"modernc.org/quickjs"

	"tocsin/lambda/internal/wire"
)

const maxMessage = 500 // characters of what a lambda threw

// engineFault says what the engine's error means, and where in the author's own
// source it was.
func engineFault(err error, p *program) *wire.Fault {
	var thrown *quickjs.Error
	if !errors.As(err, &thrown) {
		return wire.Faultf("%s", short(err.Error()))
	}
	fault := wire.Faultf("%s", meaning(thrown))
	if thrown.LineNumber > pushedDown {
		fault.Places = append(fault.Places, p.place(thrown.LineNumber, thrown.ColumnNumber, "")...)
		return fault
	}
	for _, frame := range frames.FindAllStringSubmatch(thrown.Stack, 50) {
		line, _ := strconv.Atoi(frame[2])   // digits
		column, _ := strconv.Atoi(frame[3]) // digits
		fault.Places = append(fault.Places, p.place(line, column, frame[1])...)
	}
	return fault
}

// frames are the lines of a stack, as in "    at name (<evalfile>:3:7)".
var frames = regexp.MustCompile(`(?m)^\s*at (?:(\S+) )?\(?[^\s():]+:(\d+):(\d+)\)?$`)

// place finds a place of the script in the author's source; none for the
// prelude's.
func (p *program) place(line, column int, name string) []wire.Place {
	if line <= pushedDown || p.places == nil {
		return nil
	}
	_, _, l, c, ok := p.places.Source(line-pushedDown, column-1)
	if !ok {
		return nil
	}
	return []wire.Place{{Line: l, Column: c, In: strings.Trim(name, "<>")}}
}

// The engine's own words where something ran out.
const (
	outOfTime   = "interrupted"
	outOfMemory = "out of memory"
	outOfStack  = "stack overflow"
)

// ranOut tells that the machine has come to the end of its time or memory, and
// is not worth cleaning up.
func ranOut(err error) string {
	var thrown *quickjs.Error
	if errors.As(err, &thrown) && thrown.Name == "InternalError" && (thrown.Message == outOfTime || thrown.Message == outOfMemory) {
		return thrown.Message
	}
	return ""
}

const noRequire = "'require' is not defined" // what becomes of an import

func meaning(e *quickjs.Error) string {
	if e.Name == "ReferenceError" && e.Message == noRequire {
		return "a lambda is one file and cannot import; write what it needs into it"
	}
	if e.Name == "InternalError" && e.Message == outOfStack {
		return "calls itself too deeply"
	}
	text := e.Error()
	if text == "" {
		text = "an error that cannot be shown"
	}
	if e.Name == "" {
		text = "threw " + text
	}
	if text == "threw null" { // so the engine says it, too, where no room is left for an error
		text += ", or ran out of memory"
	}
	return short(text)
}

func short(text string) string {
	if r := []rune(text); len(r) > maxMessage {
		return string(r[:maxMessage]) + "…"
	}
	return text
}
