package lambda

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/interpreter"
	"github.com/agnivade/levenshtein"
)

// mistakes tells the first mistakes of a source, each with its place.
func mistakes(source string, found []*common.Error) error {
	var told []error
	for _, m := range found[:min(len(found), reportedFault)] {
		told = append(told, mistakeAt(source, m.Location.Line(), m.Location.Column(), explain(m.Message)))
	}
	return errors.Join(told...)
}

// mistakeAt shows a place; line counts from 1 and column from 0, in characters.
func mistakeAt(source string, line, column int, message string) error {
	lines := strings.Split(source, "\n")
	if line < 1 || line > len(lines) {
		return errors.New(message)
	}
	shown := []rune(strings.TrimRight(strings.ReplaceAll(lines[line-1], "\t", " "), "\r"))
	column = max(min(column, len(shown)), 0)
	const around = 60 // characters shown on either side
	from, to := max(column-around, 0), min(column+around, len(shown))
	return fmt.Errorf("line %d, column %d: %s\n  %s\n  %s^", line, column+1, message,
		string(shown[from:to]), strings.Repeat(" ", column-from))
}

var (
	unknownField = regexp.MustCompile(`^undefined field '([^']*)'`)
	unknownName  = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	misfit       = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
)

// explain says in plain words what the checker found.
func explain(message string) string {
	if m := unknownField.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("there is no field %s%s", m[1],
			proposal(m[1], "alert has "+strings.Join(alertShape.names, ", ")+"; ticket has "+strings.Join(ticketShape.names, ", "),
				alertShape.names, ticketShape.names))
	}
	if m := unknownName.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("there is no %s%s", m[1],
			proposal(m[1], `there are alert, ticket and now; texts stand in quotes, such as "HIGH"`, []string{"alert", "ticket", "now"}, functions))
	}
	if m := misfit.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s cannot be used on %s", strings.Trim(m[1], "_"), m[2])
	}
	return message
}

// functions are those that a misspelt name is compared with.
var functions = []string{
	"severityRank", "inCIDR", "contains", "startsWith", "endsWith", "matches", "exists", "all", "size", "has",
	"lower", "upper", "hourIn", "weekdayIn", "lowerAscii", "upperAscii", "orValue", "getHours", "getDayOfWeek", "timestamp", "duration", "string", "int", "double",
}

// proposal names the known word that is near, or else tells what there is.
func proposal(word, otherwise string, known ...[]string) string {
	best, distance := "", 1+len(word)/3
	for _, name := range slices.Concat(known...) {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(name)); d <= distance && (best == "" || d < distance) {
			best, distance = name, d
		}
	}
	if best == "" {
		return "; " + otherwise
	}
	return "; did you mean " + best + "?"
}

// failure says in plain words why an evaluation gave no answer.
func failure(err error) error {
	message := err.Error()
	missing, isMissing := strings.CutPrefix(message, "no such key: ")
	var stopped interpreter.EvalCancelledError
	switch {
	case isMissing:
		return fmt.Errorf("there is no %s in this alert's JSON; write .?%s.orValue(\"\") for what may be absent", missing, missing)
	case errors.As(err, &stopped) && stopped.Cause == interpreter.CostLimitExceeded:
		return errors.New("the condition does too much work for one alert; make it simpler")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the condition takes longer than %v; make it simpler", maxTime)
	case message == "no such overload":
		return errors.New("a value is of another type than the condition expects; type() tells the type of a value")
	}
	return err
}

// article puts a or an before a word.
func article(word string) string {
	if strings.ContainsAny(word[:1], "aeio") {
		return "an " + word
	}
	return "a " + word
}
