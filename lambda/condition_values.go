package lambda

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"tocsin/dispatch"
)

// Limits of what is kept of the values that a clause saw.
const (
	maxValues    = 20     // names of a clause
	maxShown     = 200    // bytes of a value
	maxAllShown  = 16_000 // bytes of all values of an evaluation
	maxShownKeys = 20     // of an object inside of a value
)

// value is what a name stands for, as Go has it; false says that nothing has
// asked for the JSON it is in, so that nothing depended on it.
func (f *facts) value(n name) (any, bool) {
	switch {
	case n.root == "now":
		return f.now.UTC(), true
	case n.root == "ticket" && f.ticket == nil:
		return nil, true
	case len(n.path) == 0:
		return record{shapeOf(n.root), f}, true
	}
	top := shapeOf(n.root).columns[n.path[0].key]
	switch {
	case top.value == nil || n.tested && len(n.path) == 1 && top.absent != nil && top.absent(f):
		return nil, true
	case top.json == nil || len(n.path) == 1:
		return f.whole(top), true
	}
	_, decoded := top.json(f)
	return follow(decoded, n.path[1:]), decoded != nil
}

// whole is all of a field; JSON stays as it came.
func (f *facts) whole(c column) any {
	if c.json == nil {
		return c.value(f).Value()
	}
	raw, _ := c.json(f)
	return raw
}

func shapeOf(root string) *shape {
	if root == "ticket" {
		return ticketShape
	}
	return alertShape
}

// follow goes into decoded JSON; where it does not go on, it gives null.
func follow(v any, path []step) any {
	if held, ok := v.(ref.Val); ok {
		v = held.Value()
	}
	for _, s := range path {
		switch held := v.(type) {
		case map[string]any:
			v = held[s.key]
		case []any:
			if s.key != "" || s.place < 0 || s.place >= len(held) {
				return nil
			}
			v = held[s.place]
		default:
			return nil
		}
	}
	return v
}

// appendValue writes a value as JSON of about maxShown bytes; what is longer is cut.
func appendValue(out []byte, v any) []byte {
	room := maxShown
	return appendCut(out, v, &room)
}

func appendCut(out []byte, v any, room *int) []byte {
	from := len(out)
	switch v := v.(type) {
	case nil, types.Null:
		out = append(out, "null"...)
	case string:
		out = appendText(out, dispatch.Cut(v, max(*room, minShownText)))
	case bool:
		out = strconv.AppendBool(out, v)
	case int64:
		out = strconv.AppendInt(out, v, 10)
	case float64:
		out = appendNumber(out, v)
	case time.Time:
		out = append(v.AppendFormat(append(out, '"'), time.RFC3339Nano), '"')
	case dispatch.JSON:
		out = appendRaw(out, v)
	default:
		return appendNested(out, v, room)
	}
	*room -= len(out) - from
	return out
}

const minShownText = 20 // bytes, even when the room is used up

func appendNested(out []byte, v any, room *int) []byte {
	*room -= 2
	switch v := v.(type) {
	case []string:
		return appendList(out, v, room)
	case []any:
		return appendList(out, v, room)
	case map[string]any:
		return appendObject(out, firstKeys(v), len(v), func(key string) any { return v[key] }, room)
	case record:
		return appendObject(out, v.shape.names, len(v.shape.names), func(key string) any {
			return v.facts.whole(v.shape.columns[key])
		}, room)
	default:
		return append(out, `"…"`...)
	}
}

func appendList[T any](out []byte, all []T, room *int) []byte {
	out = append(out, '[')
	for i, v := range all {
		if i > 0 {
			out = append(out, ',')
		}
		if *room <= 0 {
			out = append(out, `"…"`...)
			break
		}
		out = appendCut(out, v, room)
	}
	return append(out, ']')
}

func appendObject(out []byte, keys []string, count int, value func(string) any, room *int) []byte {
	out = append(out, '{')
	for i, key := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		if *room <= 0 || i == maxShownKeys {
			return append(out, `"…":"…"}`...)
		}
		out = append(appendText(out, dispatch.Cut(key, maxShown)), ':')
		*room -= len(key) + 4
		out = appendCut(out, value(key), room)
	}
	if count > len(keys) {
		out = append(out, `,"…":"…"`...)
	}
	return append(out, '}')
}

// firstKeys are the first keys by the alphabet, so that an object is always
// shown the same; they are picked without sorting all of a large one.
func firstKeys(object map[string]any) []string {
	var out []string
	for key := range object {
		i, _ := slices.BinarySearch(out, key)
		if i == maxShownKeys {
			continue
		}
		out = slices.Insert(out, i, key)
		out = out[:min(len(out), maxShownKeys)]
	}
	return out
}

// appendRaw writes JSON of the alert as it is, or its beginning as a text.
func appendRaw(out []byte, raw dispatch.JSON) []byte {
	if len(raw) == 0 {
		return append(out, "null"...)
	}
	if len(raw) <= maxShown && json.Valid(raw) {
		return append(out, raw...)
	}
	return appendText(out, dispatch.Cut(string(raw[:min(len(raw), maxShown+1)]), maxShown))
}

// appendNumber writes a finite number; JSON has no others, and none come from it.
func appendNumber(out []byte, v float64) []byte {
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(out, v, format, -1, 64)
}

// appendText writes a text as JSON, the usual ones without going through encoding/json.
func appendText(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(out, `""`...) // a text can always be written
			}
			return append(out, quoted...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}
