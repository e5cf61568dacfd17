package lambda

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	"cel.dev/cel-go/parser"

	"tocsin/dispatch"
)

// maxClauses are as many as are told of one evaluation; the rest is counted.
const maxClauses = 50

// condition is a compiled source with the clauses it is made of.
type condition struct {
	cel.Program
	clauses []clause
	more    string // told instead of the clauses beyond maxClauses
}

// clause is a part that and, or, not and ?: join to the whole.
type clause struct {
	text  string
	names []name
}

// verdict is what an evaluation has learnt of a clause.
type verdict byte

const (
	untouched verdict = iota // the clauses before it had decided
	failed
	denied
	held
)

// ready makes a condition of what was checked, and watches each clause.
func (c *Conditions) ready(source string, checked *cel.Ast) (*condition, error) {
	native := checked.NativeRep()
	leaves := joined(native.Expr(), nil)
	out := &condition{}
	if n := len(leaves) - maxClauses; n > 0 {
		out.more = fmt.Sprintf("… and %d more", n)
		leaves = leaves[:maxClauses]
	}
	out.clauses = described(source, leaves, native.SourceInfo(), out.more != "")
	program, err := c.env.Program(checked, cel.CostLimit(maxCost), cel.CostTracking(scales{c.patterns}), cel.InterruptCheckFrequency(checkEvery),
		cel.CustomDecoratorV2(watching(leaves, native)))
	if err != nil {
		return nil, fmt.Errorf("the condition cannot be made ready: %w", err)
	}
	out.Program = program
	return out, nil
}

// joined adds the parts that and, or, not and ?: join, in the order they are written in.
func joined(e ast.Expr, to []ast.Expr) []ast.Expr {
	if e.Kind() == ast.CallKind {
		switch call := e.AsCall(); call.FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
			for _, arg := range call.Args() {
				to = joined(arg, to)
			}
			return to
		}
	}
	return append(to, e)
}

// described gives each part its text: the author's, or one made from what the
// parser understood should the two not fit.
func described(source string, leaves []ast.Expr, info *ast.SourceInfo, cut bool) []clause {
	texts := written(source)
	fit := len(texts) == len(leaves) || cut && len(texts) > len(leaves)
	out := make([]clause, len(leaves))
	for i, leaf := range leaves {
		out[i].names = names(leaf)
		if fit {
			out[i].text = texts[i]
			continue
		}
		text, err := parser.Unparse(leaf, info)
		if err != nil {
			text = source
		}
		out[i].text = text
	}
	return out
}

// watching puts a watch around each part. One that is a mere selection, such as
// alert.attributes.vip, is planned into the expression around it and has no
// place of its own to watch; negating it twice gives it one.
func watching(leaves []ast.Expr, native *ast.AST) interpreter.InterpretableDecoratorV2 {
	slots := map[int64]int{}
	factory, fresh := ast.NewExprFactory(), ast.MaxID(native)
	for i, leaf := range leaves {
		if !selects(leaf) {
			slots[leaf.ID()] = i
			continue
		}
		inner := factory.CopyExpr(leaf) // keeps the numbers under which the checker knows it
		leaf.SetKindCase(factory.NewLiteral(0, types.True))
		leaf.RenumberIDs(func(int64) int64 { return fresh + 1 })
		leaf.SetKindCase(factory.NewCall(0, operators.LogicalNot, factory.NewCall(fresh+2, operators.LogicalNot, inner)))
		slots[fresh+1] = i
		fresh += 2
	}
	return func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		slot, ok := slots[i.ID()]
		if _, attribute := i.(interpreter.InterpretableAttribute); !ok || attribute {
			return i, nil
		}
		return watch{i, slot}, nil
	}
}

func selects(e ast.Expr) bool {
	switch e.Kind() {
	case ast.SelectKind, ast.IdentKind:
		return true
	case ast.CallKind:
		switch e.AsCall().FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect:
			return true
		}
	default:
	}
	return false
}

// watch notes in the facts what its clause gave. Clauses stand outside of all
// loops, hence the facts are the frame's own scope.
type watch struct {
	interpreter.InterpretableV2
	slot int
}

// Exec evaluates the clause.
func (w watch) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	f, ok := frame.Scope().(*facts)
	if !ok {
		return w.InterpretableV2.Exec(frame)
	}
	f.verdicts[w.slot] = failed // unless it comes back, and with an answer
	out := w.InterpretableV2.Exec(frame)
	switch out {
	case types.True:
		f.verdicts[w.slot] = held
	case types.False:
		f.verdicts[w.slot] = denied
	}
	return out
}

// Eval evaluates the clause where there is no frame yet.
func (w watch) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, w.Exec)
}

// trace tells each clause with what it saw.
func (c *condition) trace(f *facts) []dispatch.Clause {
	out := make([]dispatch.Clause, len(c.clauses), len(c.clauses)+1)
	answers := [2]bool{false, true}
	values := make([]byte, 0, 64*len(c.clauses))
	for i, clause := range c.clauses {
		from := len(values)
		values = append(values, '{')
		if f.verdicts[i] != untouched {
			values = f.appendValues(values, clause.names)
		}
		values = append(values, '}')
		out[i] = dispatch.Clause{Expression: clause.text, Values: dispatch.JSON(values[from:len(values):len(values)])}
		if v := f.verdicts[i]; v == held || v == denied {
			out[i].Result = &answers[v-denied]
		}
	}
	if c.more != "" {
		out = append(out, dispatch.Clause{Expression: c.more, Values: dispatch.JSON("{}")})
	}
	return out
}

// appendValues writes what the names stand for, as the fields of an object,
// while there is room for more.
func (f *facts) appendValues(out []byte, all []name) []byte {
	first := len(out)
	for _, n := range all {
		v, seen := f.value(n)
		if !seen || f.shown > maxAllShown {
			continue
		}
		from := len(out)
		if from > first {
			out = append(out, ',')
		}
		out = appendValue(append(out, n.shown...), v)
		f.shown += len(out) - from
	}
	return out
}
