package lambda

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a bare machine or container has no time zones of its own; 450 KB

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	lru "github.com/hashicorp/golang-lru/v2"

	"tocsin/dispatch"
)

// zones finds time zones by name and keeps them: reading one is slow.
type zones struct {
	kept *lru.Cache[string, *time.Location]
}

func newZones() (*zones, error) {
	kept, err := lru.New[string, *time.Location](keptZones)
	if err != nil {
		return nil, fmt.Errorf("make the cache of time zones: %w", err)
	}
	return &zones{kept}, nil
}

// find gives a zone of the IANA database. The server's own is none: the same
// condition means the same on each machine.
func (z *zones) find(name string) (*time.Location, error) {
	if known, ok := z.kept.Get(name); ok {
		return known, nil
	}
	found, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not a time zone; write one such as Europe/Berlin, America/New_York or UTC", dispatch.Cut(name, 40))
	}
	z.kept.Add(name, found)
	return found, nil
}

// options offer hourIn and weekdayIn. Without a time as their first argument
// they are about now.
func (z *zones) options() []cel.EnvOption {
	str, whole := cel.StringType, cel.IntType
	return []cel.EnvOption{
		aboutNow("hourIn"), aboutNow("weekdayIn"),
		cel.Function("hourIn", cel.Overload("hour_in", []*cel.Type{cel.TimestampType, str, whole, whole}, cel.BoolType, cel.FunctionBinding(z.hourIn))),
		cel.Function("weekdayIn", cel.Overload("weekday_in", []*cel.Type{cel.TimestampType, str, str, str}, cel.BoolType, cel.FunctionBinding(z.weekdayIn))),
	}
}

// aboutNow writes hourIn("UTC", 8, 18) out as hourIn(now, "UTC", 8, 18).
func aboutNow(name string) cel.EnvOption {
	return cel.Macros(cel.GlobalMacro(name, 3, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		return f.NewCall(name, slices.Concat([]ast.Expr{f.NewIdent("now")}, args)...), nil
	}))
}

func (z *zones) hourIn(args ...ref.Val) ref.Val {
	at, zone, err := z.clock(args)
	if err != nil {
		return types.WrapErr(err)
	}
	from, to, err := hours(args[2], args[3])
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(within(at.In(zone).Hour(), from, to))
}

// weekdayIn holds on the last day, too.
func (z *zones) weekdayIn(args ...ref.Val) ref.Val {
	at, zone, err := z.clock(args)
	if err != nil {
		return types.WrapErr(err)
	}
	from, to, err := days(args[2], args[3])
	if err != nil {
		return types.WrapErr(err)
	}
	day := int(at.In(zone).Weekday()+6) % len(weekdays)
	return types.Bool(from <= to && from <= day && day <= to || from > to && (day >= from || day <= to))
}

func (z *zones) clock(args []ref.Val) (time.Time, *time.Location, error) {
	at, ok := args[0].(types.Timestamp)
	if !ok {
		return time.Time{}, nil, fmt.Errorf("a %s is not a time", args[0].Type().TypeName())
	}
	zone, err := z.find(text(args[1]))
	return at.Time, zone, err
}

// within is about from up to, but without, to; behind midnight when from is later.
func within(hour, from, to int) bool {
	if from < to {
		return from <= hour && hour < to
	}
	return hour >= from || hour < to
}

func hours(first, second ref.Val) (from, to int, err error) {
	a, _ := first.(types.Int)
	b, _ := second.(types.Int)
	if a < 0 || a > 24 || b < 0 || b > 24 || a == b {
		return 0, 0, fmt.Errorf("hours from %d to %d: write two different ones of 0 to 24, such as 8, 18 or 22, 6", a, b)
	}
	return int(a), int(b), nil
}

var weekdays = []string{"MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"}

func days(first, second ref.Val) (from, to int, err error) {
	from, to = slices.Index(weekdays, text(first)), slices.Index(weekdays, text(second))
	if from < 0 || to < 0 {
		return 0, 0, fmt.Errorf("days from %q to %q: the days are %s", dispatch.Cut(text(first), 20), dispatch.Cut(text(second), 20), strings.Join(weekdays, ", "))
	}
	return from, to, nil
}

// check refuses what is written out and never right: a zone, hours or days that there are not.
func (z *zones) check(call ast.CallExpr) error {
	args := call.Args()
	fixed := func(i int) ref.Val {
		if i < len(args) && args[i].Kind() == ast.LiteralKind {
			return args[i].AsLiteral()
		}
		return nil
	}
	var err error
	switch name := call.FunctionName(); {
	case name == "hourIn" || name == "weekdayIn":
		if zone := fixed(1); zone != nil {
			_, err = z.find(text(zone))
		}
		switch first, second := fixed(2), fixed(3); {
		case err != nil || first == nil || second == nil:
		case name == "hourIn":
			_, _, err = hours(first, second)
		default:
			_, _, err = days(first, second)
		}
	case strings.HasPrefix(name, "get") && call.IsMemberFunction() && fixed(0) != nil:
		if zone := text(fixed(0)); !strings.Contains(zone, ":") { // CEL also takes offsets, such as 02:00
			_, err = z.find(zone)
		}
	}
	return err
}
