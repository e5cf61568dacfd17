package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

// Bounds of the JSON of a request: how deep it goes, and how many values it
// holds, since each takes a multiple of its bytes in memory.
const (
	maxNesting = 100
	maxValues  = 200_000
)

var errManyValues = fmt.Errorf("holds more than %d values; send less at once", maxValues)

// readJSON reads one JSON object strictly: nothing after it, no name twice, no
// bytes that are not UTF-8. Numbers keep their digits. Its errors never hold
// what was sent.
func readJSON(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("is not valid UTF-8; encode it as UTF-8")
	}
	d := reader{Decoder: json.NewDecoder(bytes.NewReader(text))}
	d.UseNumber()
	value, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something after its end; send one JSON object")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("is not a JSON object; batches are not taken")
	}
	return object, nil
}

// reader reads JSON and counts its values.
type reader struct {
	*json.Decoder
	values int
}

func (d *reader) broken() error { return fmt.Errorf("is not JSON near byte %d", d.InputOffset()) }

func (d *reader) value(depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, d.broken()
	}
	if d.values++; d.values > maxValues {
		return nil, errManyValues
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxNesting {
		return nil, fmt.Errorf("is nested deeper than %d", maxNesting)
	}
	if delim == '[' {
		return d.array(depth)
	}
	return d.object(depth)
}

func (d *reader) array(depth int) (any, error) {
	out := []any{}
	for d.More() {
		item, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, d.end()
}

func (d *reader) object(depth int) (any, error) {
	out := map[string]any{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, d.broken()
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("has a name twice in one object near byte %d", d.InputOffset())
		}
		if out[name], err = d.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return out, d.end()
}

// end reads the bracket that closes a value.
func (d *reader) end() error {
	if _, err := d.Token(); err != nil {
		return d.broken()
	}
	return nil
}

// paramsOf reads the members of a request.
func paramsOf(object map[string]any) (*graphql.RawParams, error) {
	p := &graphql.RawParams{}
	query, ok := object["query"].(string)
	if !ok || query == "" {
		return nil, errors.New("query is not a text; give the GraphQL document")
	}
	p.Query = query
	for name, target := range map[string]*map[string]any{"variables": &p.Variables, "extensions": &p.Extensions} {
		value := object[name]
		if *target, ok = value.(map[string]any); !ok && value != nil {
			return nil, fmt.Errorf("%s is not a JSON object", name)
		}
	}
	if p.OperationName, ok = object["operationName"].(string); !ok && object["operationName"] != nil {
		return nil, errors.New("operationName is not a text")
	}
	return p, nil
}
