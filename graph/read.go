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

// maxNesting bounds how deep the JSON of a request goes.
const maxNesting = 100

// readJSON reads one JSON object strictly: nothing after it, no name twice, no
// bytes that are not UTF-8. Numbers keep their digits. Its errors never hold
// what was sent.
func readJSON(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("is not valid UTF-8; encode it as UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := readValue(d, 0)
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

func readValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("is not JSON near byte %d", d.InputOffset())
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxNesting {
		return nil, fmt.Errorf("is nested deeper than %d", maxNesting)
	}
	if delim == '[' {
		return readArray(d, depth)
	}
	return readObject(d, depth)
}

func readArray(d *json.Decoder, depth int) (any, error) {
	out := []any{}
	for d.More() {
		item, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, end(d)
}

func readObject(d *json.Decoder, depth int) (any, error) {
	out := map[string]any{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("is not JSON near byte %d", d.InputOffset())
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("has a name twice in one object near byte %d", d.InputOffset())
		}
		if out[name], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	return out, end(d)
}

// end reads the bracket that closes a value.
func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("is not JSON near byte %d", d.InputOffset())
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
