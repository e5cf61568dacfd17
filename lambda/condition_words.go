package lambda

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	lru "github.com/hashicorp/golang-lru/v2"

	"tocsin/dispatch"
)

// unsafeStrings are functions of CEL's strings extension whose single step
// multiplies the sizes of its inputs, in memory or in time, where neither
// deadline nor cost limit can end it.
var unsafeStrings = map[string]bool{
	"replace": true, "join": true, "format": true, "indexOf": true, "lastIndexOf": true,
}

func newEnv(p *patterns, z *zones) (*cel.Env, error) {
	str, boolean := cel.StringType, cel.BoolType
	return cel.NewCustomEnv(append(z.options(),
		// CEL's own matches has no bound on the size of pattern and text.
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddExcludedFunctions(env.NewFunction("matches")))),
		cel.OptionalTypes(), ext.Strings(),
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true), cel.EagerlyValidateDeclarations(true),
		cel.ParserExpressionSizeLimit(maxSource), cel.ParserRecursionLimit(maxNesting), cel.ExpressionNodeLimit(maxNodes),
		cel.Types(alertShape, ticketShape),
		cel.Variable("alert", alertShape.Type), cel.Variable("ticket", ticketShape.Type), cel.Variable("now", cel.TimestampType),
		cel.Function("severityRank", cel.Overload("severity_rank", []*cel.Type{str}, cel.IntType, cel.UnaryBinding(severityRank))),
		cel.Function("inCIDR", cel.Overload("in_cidr", []*cel.Type{str, str}, boolean, cel.BinaryBinding(inCIDR))),
		cel.Function("matches",
			cel.Overload("bounded_matches", []*cel.Type{str, str}, boolean),
			cel.MemberOverload("bounded_string_matches", []*cel.Type{str, str}, boolean),
			cel.SingletonBinaryBinding(p.match)),
		letters("lower", strings.ToLower), letters("upper", strings.ToUpper),
	)...)
}

// letters offers a function of one text, in both of the ways it may be written.
func letters(name string, change func(string) string) cel.EnvOption {
	return cel.Function(name,
		cel.Overload(name+"_text", []*cel.Type{cel.StringType}, cel.StringType),
		cel.MemberOverload("text_"+name, []*cel.Type{cel.StringType}, cel.StringType),
		cel.SingletonUnaryBinding(func(v ref.Val) ref.Val { return types.String(change(text(v))) }))
}

func severityRank(severity ref.Val) ref.Val {
	rank := dispatch.Severity(text(severity)).Rank()
	if rank < 0 {
		return types.NewErr("%q is not a severity; there are INFO, LOW, MEDIUM, HIGH and CRITICAL", dispatch.Cut(text(severity), 40))
	}
	return types.Int(rank)
}

// inCIDR is false for a text that is no address, since a key need not be one.
func inCIDR(address, network ref.Val) ref.Val {
	prefix, err := subnet(text(network))
	if err != nil {
		return types.WrapErr(err)
	}
	a, err := netip.ParseAddr(text(address))
	return types.Bool(err == nil && prefix.Contains(a.Unmap().WithZone("")))
}

// subnet reads a network; one of IPv4 addresses that is written as IPv6 is the IPv4 one.
func subnet(network string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(network)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network such as 10.0.0.0/8 or 2001:db8::/32", dispatch.Cut(network, 40))
	}
	const mapped = 96 // bits before the IPv4 address
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped), nil
	}
	return prefix, nil
}

// Limits of matches. A match takes time in proportion to the size of the
// text times that of the compiled pattern, and nothing can interrupt it.
const (
	maxPattern      = 500   // bytes
	maxInstructions = 2_000 // of the compiled pattern
	maxMatchWork    = 4_000_000
)

// patterns compiles regular expressions (RE2) and keeps them.
type patterns struct{ kept *lru.Cache[string, pattern] }

type pattern struct {
	expression *regexp.Regexp
	size       int // instructions
}

func newPatterns() (*patterns, error) {
	kept, err := lru.New[string, pattern](keptPatterns)
	if err != nil {
		return nil, fmt.Errorf("make the cache of patterns: %w", err)
	}
	return &patterns{kept}, nil
}

var errLargePattern = errors.New("the pattern is too large once its repetitions are written out; lower the counts in {}")

// unfolded is about how many instructions a pattern has once its repetitions
// are written out, which is not to be done for finding that they are too many.
func unfolded(e *syntax.Regexp) int {
	size := 1 + len(e.Rune)/2
	for _, sub := range e.Sub {
		size += unfolded(sub)
	}
	if e.Op == syntax.OpRepeat {
		size *= max(e.Min, e.Max, 1)
	}
	return size
}

func (p *patterns) compile(source string) (pattern, error) {
	if known, ok := p.kept.Get(source); ok {
		return known, nil
	}
	if len(source) > maxPattern {
		return pattern{}, fmt.Errorf("the pattern has %d bytes; write at most %d", len(source), maxPattern)
	}
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return pattern{}, fmt.Errorf("the pattern is not a regular expression (RE2): %w", err)
	}
	if unfolded(parsed) > maxInstructions {
		return pattern{}, errLargePattern
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxInstructions {
		return pattern{}, errLargePattern
	}
	expression, err := regexp.Compile(source)
	if err != nil {
		return pattern{}, fmt.Errorf("the pattern is not a regular expression (RE2): %w", err)
	}
	compiled := pattern{expression, len(program.Inst)}
	p.kept.Add(source, compiled)
	return compiled, nil
}

// match is CEL's matches.
func (p *patterns) match(subject, source ref.Val) ref.Val {
	compiled, err := p.compile(text(source))
	if err != nil {
		return types.WrapErr(err)
	}
	s := text(subject)
	if len(s)*compiled.size > maxMatchWork {
		return types.NewErr("a text of %d bytes is too long for a pattern of this size; use a simpler one, or contains()", len(s))
	}
	return types.Bool(compiled.expression.MatchString(s))
}

// work is how much there was to do for a match.
func (p *patterns) work(subject, source ref.Val) int {
	compiled, err := p.compile(text(source))
	if err != nil {
		return 0
	}
	return len(text(subject)) * compiled.size
}
