// Package lambda decides and changes by what a user wrote, within hard limits
// of time and memory. Conditions are CEL expressions over the alert and its
// ticket, evaluated in this process. Lambdas and templates are programs, which a
// Crew runs in processes of their own. It knows no books and no actors, and it
// asks nothing of the outside.
package lambda

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	lru "github.com/hashicorp/golang-lru/v2"

	"tocsin/dispatch"
)

// Limits of a condition. Time ends loops only, so that a machine that is busy
// with other things fails no plain condition. The cost limit ends what is done
// outside of loops; a single step is bounded by the size of its inputs, and by
// what functions are offered at all.
const (
	maxSource     = 4_000     // characters
	maxNodes      = 10_000    // of the expression, once macros are written out
	maxNesting    = 100       // of brackets and calls
	maxCost       = 1_000_000 // as CEL counts work
	maxTime       = 50 * time.Millisecond
	checkEvery    = 16 // turns of a loop between looks at the clock
	keptPrograms  = 1_000
	keptPatterns  = 1_000
	keptZones     = 100
	reportedFault = 3 // mistakes told at once
)

// Conditions compiles and evaluates conditions, and implements
// dispatch.Conditions. It is safe for many goroutines.
//
// A condition is a CEL expression that gives true or false over
//
//	alert   the alert, with the fields of the API's Alert: behaviorModel, behavior, key, keyType, severity,
//	        riskScore, risks, summary, description, source, link, attributes, payload, dedupKey, occurredAt,
//	        receivedAt, and raisedBy, which is a name
//	ticket  the open ticket that the alert would join, or null: number, status, severity, alertCount, openedAt
//	now     the time of the evaluation
//
// An absent text is "", an absent riskScore 0: alert.key == "x" never fails for
// want of a key, and has(alert.key) tells the two apart. A key that attributes
// or payload do not have is an error; alert.attributes.?host.orValue("") is not.
// JSON numbers are doubles, which compare with whole numbers. Severities are
// texts; severityRank("HIGH") orders them, from 0 for INFO to 4 for CRITICAL.
// Beside CEL's own functions there are the optional types, those of CEL's
// strings extension that make no text longer, inCIDR("10.1.2.3", "10.0.0.0/8"),
// lower(text) and upper(text) for all letters, and hourIn("Europe/Berlin", 8, 18)
// and weekdayIn("Europe/Berlin", "MON", "FRI"), which are about now unless a time
// stands before the zone. docs/conditions.md tells all of it with examples.
type Conditions struct {
	env      *cel.Env
	programs *lru.Cache[string, *condition]
	patterns *patterns
	zones    *zones
}

// NewConditions makes Conditions; an error is a fault of this program.
func NewConditions() (*Conditions, error) {
	programs, err := lru.New[string, *condition](keptPrograms)
	if err != nil {
		return nil, fmt.Errorf("make the cache of conditions: %w", err)
	}
	patterns, err := newPatterns()
	if err != nil {
		return nil, err
	}
	zones, err := newZones()
	if err != nil {
		return nil, err
	}
	env, err := newEnv(patterns, zones)
	if err != nil {
		return nil, fmt.Errorf("make the language of conditions: %w", err)
	}
	return &Conditions{env: env, programs: programs, patterns: patterns, zones: zones}, nil
}

// Check is nil for a source that can be evaluated and gives true or false. Its
// error names line and column of each mistake, shows the line with a mark under
// the place, and proposes the right word for a misspelt one.
func (c *Conditions) Check(source string) error {
	_, err := c.program(source)
	return err
}

// Evaluate tells whether the condition holds for an alert that would join the
// ticket t, or none when t is nil. It ends with ctx, and by itself after a
// fraction of a second. An error says in plain words why there is no answer.
//
// The clauses are the parts that and, or, not and ?: join, in the order and the
// words of the author. Each has the values that its names stood for, long ones
// cut, and its answer, or none when it failed or was not looked at because
// others had decided; a clause not looked at has no values. They are given for
// a failed evaluation too, and none for a source that Check refuses.
func (c *Conditions) Evaluate(ctx context.Context, source string, a dispatch.Alert, t *dispatch.Ticket, now time.Time) (bool, []dispatch.Clause, error) {
	program, err := c.program(source)
	if err != nil {
		return false, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	f := &facts{alert: a, ticket: t, now: now, verdicts: make([]verdict, len(program.clauses))}
	out, _, err := program.ContextEval(ctx, f)
	if err != nil {
		return false, program.trace(f), failure(err)
	}
	return out == types.True, program.trace(f), nil
}

// program is the compiled condition, from the cache when it was met before.
func (c *Conditions) program(source string) (*condition, error) {
	if program, ok := c.programs.Get(source); ok {
		return program, nil
	}
	if n := utf8.RuneCountInString(source); n > maxSource {
		return nil, fmt.Errorf("the condition has %d characters; write at most %d", n, maxSource)
	}
	checked, err := c.compile(source)
	if err != nil {
		return nil, err
	}
	program, err := c.ready(source, checked)
	if err != nil {
		return nil, err
	}
	c.programs.Add(source, program)
	return program, nil
}

func (c *Conditions) compile(source string) (*cel.Ast, error) {
	checked, issues := c.env.Compile(source)
	if issues.Err() != nil {
		return nil, mistakes(source, issues.Errors())
	}
	if kind := checked.OutputType(); !kind.IsExactType(types.BoolType) {
		return nil, fmt.Errorf("the condition gives %s, not true or false; compare it with something, such as alert.riskScore > 80", article(kind.String()))
	}
	native := checked.NativeRep()
	for _, e := range ast.MatchDescendants(ast.NavigateAST(native), ast.KindMatcher(ast.CallKind)) {
		if err := c.checkCall(e); err != nil {
			at := native.SourceInfo().GetStartLocation(e.ID())
			return nil, mistakeAt(source, at.Line(), at.Column(), err.Error())
		}
	}
	return checked, nil
}

var errOrder = errors.New(`severities are texts, which order by the alphabet; write severityRank(alert.severity) >= severityRank("HIGH")`)

// checkCall refuses what type-checks and yet is never meant, or never safe.
func (c *Conditions) checkCall(e ast.NavigableExpr) error {
	call := e.AsCall()
	switch name := call.FunctionName(); name {
	case "_<_", "_<=_", "_>_", "_>=_":
		for _, operand := range call.Args() {
			if operand.Kind() == ast.SelectKind && operand.AsSelect().FieldName() == "severity" {
				return errOrder
			}
		}
	case "matches":
		if pattern := call.Args()[len(call.Args())-1]; pattern.Kind() == ast.LiteralKind {
			_, err := c.patterns.compile(text(pattern.AsLiteral()))
			return err
		}
	case "inCIDR":
		if network := call.Args()[1]; network.Kind() == ast.LiteralKind {
			_, err := subnet(text(network.AsLiteral()))
			return err
		}
	default:
		if unsafeStrings[name] {
			return fmt.Errorf("%s() is not offered, as one step of it can take any time and memory; use contains(), startsWith(), endsWith() or matches()", name)
		}
		return c.zones.check(call)
	}
	return nil
}

// text is a CEL value of type string as a Go string.
func text(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}
