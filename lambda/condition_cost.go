package lambda

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// charsPerCost is how many characters cost as much as one step, as CEL has it.
const charsPerCost = 10

// workPerCost is how much work of matches costs as much: a condition may do
// some 50 ms of it.
const workPerCost = 10

// scales weigh the steps whose work grows with their inputs, where CEL, which
// does not know the types inside of attributes and payload, counts one each.
type scales struct{ patterns *patterns }

// CallCost is for interpreter.ActualCostEstimator; nil leaves the cost to CEL.
func (s scales) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	var cost uint64
	switch function {
	case operators.Add, "lower", "upper":
		cost = 1 + length(result)
	case operators.Equals, operators.NotEquals:
		if len(args) != 2 {
			return nil
		}
		cost = 1 + 2*min(weight(args[0], maxCost), weight(args[1], maxCost)) // to weigh them is as much work
	case operators.In:
		if len(args) != 2 {
			return nil
		}
		cost = 1 + weight(args[1], maxCost)
	case "matches":
		if len(args) != 2 {
			return nil
		}
		cost = 1 + uint64(max(s.patterns.work(args[0], args[1])/workPerCost, 0))
	default:
		return nil
	}
	return &cost
}

// length is what it costs to make a text, bytes or a list.
func length(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v)) / charsPerCost
	case types.Bytes:
		return uint64(len(v)) / charsPerCost
	default:
		return 0 // a list that is joined is not copied
	}
}

// weight is what it costs to look at all of a value; it stops counting at most.
func weight(v ref.Val, most uint64) uint64 {
	sum := 1 + length(v)
	var all traits.Iterator
	switch held := v.(type) {
	case traits.Lister:
		all = held.Iterator()
	case traits.Mapper:
		all = held.Iterator()
	default:
		return sum
	}
	for all.HasNext() == types.True && sum < most {
		next := all.Next()
		if m, ok := v.(traits.Mapper); ok {
			next = m.Get(next)
		}
		sum += weight(next, most-sum)
	}
	return sum
}
