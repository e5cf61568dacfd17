package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// readFile reads a file that the command line names.
func readFile(flag, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, exit{codeUsage, fmt.Sprintf("%s: %v", flag, err)}
	}
	return text, nil
}

// readObject reads a file that holds a JSON object; nil where none is named.
func readObject(flag, path string) (json.RawMessage, error) {
	if path == "" {
		return nil, nil
	}
	var object map[string]json.RawMessage
	if err := readJSON(flag, path, &object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, exit{codeUsage, fmt.Sprintf("%s: %s holds null; give a JSON object", flag, path)}
	}
	return encode(object)
}

// readJSON reads a file that holds one JSON value and no unknown fields.
func readJSON(flag, path string, into any) error {
	text, err := readFile(flag, path)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("there is more after the first value")
	}
	if err != nil {
		return exit{codeUsage, plain(fmt.Sprintf("%s: %s is not the JSON that is wanted: %v", flag, path, err))}
	}
	return nil
}
