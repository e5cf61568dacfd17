package lambda

import (
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// name is what a clause refers to, such as alert.attributes.country[1].
type name struct {
	shown  string // with its quotes and colon, as a key of JSON
	root   string // alert, ticket or now
	path   []step
	tested bool // asked for by has(), for which absent is not the same as empty
}

// step goes into a value: by a key, or by a place in a list when the key is "".
type step struct {
	key   string
	place int
}

// names collects what a part of a condition refers to, without the variables of its loops.
func names(e ast.Expr) []name {
	c := collector{}
	c.visit(e)
	for i := range c.found {
		c.found[i].shown = string(appendText(nil, c.found[i].shown)) + ":"
	}
	return c.found
}

type collector struct {
	found []name
	loops []string // variables of the loops around
}

func (c *collector) visit(e ast.Expr) {
	if n, ok := c.chain(e); ok {
		c.add(n)
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		c.visit(e.AsSelect().Operand())
	case ast.CallKind:
		if call := e.AsCall(); call.IsMemberFunction() {
			c.visit(call.Target())
		}
		c.visitAll(e.AsCall().Args())
	case ast.ListKind:
		c.visitAll(e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			c.visitAll([]ast.Expr{entry.AsMapEntry().Key(), entry.AsMapEntry().Value()})
		}
	case ast.ComprehensionKind:
		c.visitLoop(e.AsComprehension())
	default: // a literal, or the variable of a loop
	}
}

func (c *collector) visitAll(all []ast.Expr) {
	for _, e := range all {
		c.visit(e)
	}
}

func (c *collector) visitLoop(loop ast.ComprehensionExpr) {
	c.visit(loop.IterRange())
	c.visit(loop.AccuInit())
	outer := len(c.loops)
	c.loops = append(c.loops, loop.IterVar(), loop.IterVar2(), loop.AccuVar())
	c.visitAll([]ast.Expr{loop.LoopCondition(), loop.LoopStep(), loop.Result()})
	c.loops = c.loops[:outer]
}

// add keeps a name once, and the first ones of too many.
func (c *collector) add(n name) {
	i := slices.IndexFunc(c.found, func(known name) bool { return known.shown == n.shown })
	switch {
	case i >= 0:
		c.found[i].tested = c.found[i].tested || n.tested
	case len(c.found) < maxValues:
		c.found = append(c.found, n)
	}
}

// chain reads selections and fixed indices that begin at a variable.
func (c *collector) chain(e ast.Expr) (name, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		root := e.AsIdent()
		return name{shown: root, root: root}, !slices.Contains(c.loops, root) && slices.Contains(variables, root)
	case ast.SelectKind:
		n, ok := c.chain(e.AsSelect().Operand())
		n.tested = e.AsSelect().IsTestOnly()
		return n.field(e.AsSelect().FieldName()), ok
	case ast.CallKind:
		return c.index(e.AsCall())
	default:
		return name{}, false
	}
}

func (c *collector) index(call ast.CallExpr) (name, bool) {
	switch call.FunctionName() {
	case operators.Index, operators.OptIndex, operators.OptSelect:
	default:
		return name{}, false
	}
	n, ok := c.chain(call.Args()[0])
	if !ok || call.Args()[1].Kind() != ast.LiteralKind {
		return name{}, false
	}
	switch key := call.Args()[1].AsLiteral().(type) {
	case types.String:
		return n.field(string(key)), true
	case types.Int:
		n.shown += "[" + strconv.Itoa(int(key)) + "]"
		n.path = append(n.path, step{place: int(key)})
		return n, true
	default:
		return name{}, false
	}
}

func (n name) field(key string) name {
	plain := key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == ""
	if plain {
		n.shown += "." + key
	} else {
		n.shown += "[" + strconv.Quote(key) + "]"
	}
	n.path = append(n.path, step{key: key, place: -1})
	return n
}
