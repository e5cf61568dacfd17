package inside

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// words are the functions of templates beside those of text/template.
func (p *page) words() map[string]any {
	return map[string]any{
		outlet:    p.shown,
		"lower":   func(v any) string { return strings.ToLower(textOf(orEmpty(v))) },
		"upper":   func(v any) string { return strings.ToUpper(textOf(orEmpty(v))) },
		"join":    join,
		"default": otherwise,
		"cut":     cut,
		"json":    p.json,
		"date":    date,
	}
}

func orEmpty(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// join writes a list with a separator: {{join .Alert.Risks ", "}}.
func join(list any, separator string) (string, error) {
	all, ok := list.([]any)
	if !ok && list != nil {
		return "", errors.New("join takes a list and a text")
	}
	parts := make([]string, len(all))
	for i, v := range all {
		parts[i] = textOf(orEmpty(v))
	}
	return strings.Join(parts, separator), nil
}

// otherwise is a value, or another where it is missing or empty:
// {{.Alert.Key | default "nobody"}}.
func otherwise(instead, v any) any {
	if v == nil || v == "" {
		return instead
	}
	return v
}

// cut is the beginning of a text, with a mark where something was left out:
// {{.Alert.Summary | cut 100}}.
func cut(most int, v any) (string, error) {
	text := textOf(orEmpty(v))
	if most < 1 {
		return "", fmt.Errorf("cut takes a number of characters above 0, not %d", most)
	}
	if utf8.RuneCountInString(text) <= most {
		return text, nil
	}
	return string([]rune(text)[:most-1]) + "…", nil
}

// json is a value as JSON: {"risks": {{json .Alert.Risks}}}.
func (p *page) json(v any) any {
	if p.form == "json" {
		return ready(encoded(v))
	}
	return encoded(v)
}

// date is a time in another layout, as Go writes layouts:
// {{date "2006-01-02 15:04" .Alert.OccurredAt}}.
func date(layout string, v any) (string, error) {
	if len(layout) > 100 {
		return "", errors.New("date takes a layout of at most 100 characters")
	}
	t, err := time.Parse(time.RFC3339, textOf(orEmpty(v)))
	if err != nil {
		return "", fmt.Errorf("%s is not a time such as 2026-01-31T08:00:00Z", short(textOf(orEmpty(v))))
	}
	return t.UTC().Format(layout), nil
}
