package inside

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"
)

// builtins are those of Go's templates that stay as they are; call is not
// offered, as there is nothing to call.
var builtins = map[string]any{"and": true, "or": true, "not": true, "index": true, "slice": true}

// words are the functions that a template has beside them. Each gives nothing
// for nothing, so that the last step can say what is missing, and none gives
// more than a text may have.
func (s *show) words() map[string]any {
	return map[string]any{
		showName: s.show,
		"lower":  onText(func(t string) (any, error) { return strings.ToLower(t), nil }),
		"upper":  onText(func(t string) (any, error) { return strings.ToUpper(t), nil }),
		"html":   onText(func(t string) (any, error) { return texttemplate.HTMLEscapeString(t), nil }),
		"js":     onText(func(t string) (any, error) { return texttemplate.JSEscapeString(t), nil }),
		"urlquery": onText(func(t string) (any, error) {
			return texttemplate.URLQueryEscaper(t), nil
		}),
		"cut":     cut,
		"join":    join,
		"default": otherwise,
		"json":    asJSON,
		"date":    date,
		"len":     length,
		"print":   func(values ...any) (any, error) { return within(fmt.Sprint(readable(values)...)) },
		"println": func(values ...any) (any, error) { return within(fmt.Sprintln(readable(values)...)) },
		"printf":  printf,
		"eq":      equal,
		"ne":      func(a, b any) (bool, error) { same, err := equal(a, b); return !same, err },
		"lt":      ordered(func(c int) bool { return c < 0 }),
		"le":      ordered(func(c int) bool { return c <= 0 }),
		"gt":      ordered(func(c int) bool { return c > 0 }),
		"ge":      ordered(func(c int) bool { return c >= 0 }),
	}
}

func onText(f func(string) (any, error)) func(any) (any, error) {
	return func(v any) (any, error) {
		if missing(v) {
			return nil, nil // nothing for nothing
		}
		text, err := plain(v)
		if err != nil {
			return nil, err
		}
		out, err := f(text)
		if err != nil {
			return nil, err
		}
		return within(out)
	}
}

// within refuses what is longer than a text may be.
func within(v any) (any, error) {
	if text, ok := v.(string); ok && len(text) > maxRendered {
		return nil, errTooLong
	}
	return v, nil
}

// cut keeps the first characters of a text, and shows that it did.
func cut(n int, v any) (any, error) {
	return onText(func(text string) (any, error) {
		if r := []rune(text); n >= 0 && len(r) > n {
			return string(r[:max(n-1, 0)]) + "…", nil
		}
		return text, nil
	})(v)
}

func join(between string, v any) (any, error) {
	list, ok := v.([]any)
	switch {
	case missing(v):
		return nil, nil //nolint:nilnil // nothing for nothing
	case !ok:
		return plain(v)
	}
	return joined(between, list)
}

// otherwise is the value that stands in for one that is missing or empty.
func otherwise(standIn, v any) any {
	if missing(v) || v == "" {
		return standIn
	}
	return v
}

func asJSON(v any) (any, error) {
	text, err := compact(v)
	if err == nil && len(text) > maxRendered {
		err = errTooLong
	}
	return rawJSON(text), err
}

// date writes a time in a layout of Go, such as "2006-01-02 15:04", in UTC.
func date(layout string, v any) (any, error) {
	return onText(func(text string) (any, error) {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, fmt.Errorf("%.50q is not a time, such as 2026-11-22T09:30:00Z", text)
		}
		return at.UTC().Format(layout), nil
	})(v)
}

func length(v any) (int, error) {
	switch v := v.(type) {
	case nil, nothing:
		return 0, nil
	case string:
		return len([]rune(v)), nil
	case []any:
		return len(v), nil
	case map[string]any:
		return len(v), nil
	}
	return 0, errors.New("len is of a text, a list or an object")
}

// readable takes nothing for an empty text and lists as people read them, and
// cuts what alone would be too long.
func readable(values []any) []any {
	out := slices.Clone(values)
	for i, v := range out {
		switch v.(type) {
		case nil, nothing, []any, map[string]any, rawJSON, json.Number:
			out[i], _ = plain(v) // a value of JSON can be written
		}
	}
	return out
}

// maxWidth is the largest width or precision of printf: a width makes a text out
// of nothing.
const maxWidth = 1_000

var widths = regexp.MustCompile(`%[^a-zA-Z%]*`)

func printf(format string, values ...any) (any, error) {
	for _, directive := range widths.FindAllString(format, -1) {
		if strings.Contains(directive, "*") {
			return nil, errors.New("printf: write the width as a number, not as *")
		}
		for _, digits := range strings.FieldsFunc(directive, func(r rune) bool { return r < '0' || r > '9' }) {
			if n, err := strconv.Atoi(digits); err != nil || n > maxWidth {
				return nil, fmt.Errorf("printf: the width %.20s is over %d", digits, maxWidth)
			}
		}
	}
	return within(fmt.Sprintf(format, readable(values)...))
}

// equal tells whether the first is one of the others. Numbers are equal by
// value, and what is missing equals nothing else.
func equal(a any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, errors.New("eq compares two values")
	}
	for _, b := range others {
		if missing(a) || missing(b) {
			if missing(a) && missing(b) {
				return true, nil
			}
			continue
		}
		if c, ok := compared(a, b); ok && c == 0 {
			return true, nil
		}
		if x, ok := a.(bool); ok && b == any(x) {
			return true, nil
		}
	}
	return false, nil
}

// ordered compares; what is missing is neither more nor less than anything.
func ordered(holds func(int) bool) func(a, b any) (bool, error) {
	return func(a, b any) (bool, error) {
		if missing(a) || missing(b) {
			return false, nil
		}
		c, ok := compared(a, b)
		if !ok {
			return false, fmt.Errorf("%s and %s cannot be compared", described(a), described(b))
		}
		return holds(c), nil
	}
}

func compared(a, b any) (int, bool) {
	x, isNumber := numeric(a)
	y, too := numeric(b)
	if isNumber && too {
		return cmp.Compare(x, y), true
	}
	s, isText := a.(string)
	t, too := b.(string)
	return strings.Compare(s, t), isText && too
}

func numeric(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}
