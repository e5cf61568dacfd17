package inside

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// nothing is JSON's null inside of an object: its fields are missing instead of
// a fault, it is false, and it is written as an empty text.
type nothing map[string]any

// String is empty.
func (nothing) String() string { return "" }

// MarshalJSON is null.
func (nothing) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// rawJSON is JSON already, to be written as it is where the form is JSON.
type rawJSON string

// decodeData reads the data. Whole numbers become int, as index and printf want
// them; those that no int holds stay as they were written.
func decodeData(data json.RawMessage) (any, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return map[string]any{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("the data is not JSON: %w", err)
	}
	return natural(v), nil
}

func natural(v any) any {
	switch v := v.(type) {
	case nil:
		return nothing(nil)
	case map[string]any:
		for key, inner := range v {
			v[key] = natural(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = natural(inner)
		}
	case json.Number:
		return naturalNumber(v)
	}
	return v
}

func naturalNumber(n json.Number) any {
	if i, err := strconv.Atoi(n.String()); err == nil {
		return i
	}
	f, err := n.Float64()
	if err != nil || math.Abs(f) > 1<<53 {
		return n // in its own digits
	}
	return f
}

func missing(v any) bool {
	_, null := v.(nothing)
	return v == nil || null
}

// plain is a value as people read it: a list of single values with commas,
// objects as JSON.
func plain(v any) (string, error) {
	switch v := v.(type) {
	case nil, nothing:
		return "", nil
	case string:
		return v, nil
	case rawJSON:
		return string(v), nil
	case json.Number:
		return v.String(), nil
	case []any:
		if single(v) {
			return joined(", ", v)
		}
	case map[string]any, float64:
	default:
		return fmt.Sprint(v), nil
	}
	return compact(v)
}

func single(list []any) bool {
	for _, v := range list {
		switch v.(type) {
		case map[string]any, []any:
			return false
		}
	}
	return true
}

func joined(between string, list []any) (string, error) {
	var out strings.Builder
	for i, v := range list {
		text, err := plain(v)
		if err != nil {
			return "", err
		}
		if i > 0 {
			out.WriteString(between)
		}
		out.WriteString(text)
		if out.Len() > maxRendered {
			return "", errTooLong
		}
	}
	return out.String(), nil
}

// compact is JSON that leaves < and > as they are.
func compact(v any) (string, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("cannot be written as JSON: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
