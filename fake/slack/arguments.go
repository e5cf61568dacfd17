package slack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// arguments of a call by name. What is absent or null is not in it; arrays and objects are JSON text, as in a form.
type arguments map[string]string

// readArguments takes a form or JSON; else it returns Slack's error code.
func readArguments(r *http.Request) (arguments, string) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == "application/json" {
		return readJSON(r)
	}
	if err := r.ParseForm(); err != nil {
		return nil, "invalid_form_data"
	}
	args := arguments{}
	for name, values := range r.PostForm {
		args[name] = values[0]
	}
	if r.Method == http.MethodGet { // methods that read take their arguments, but no token, from the query
		for name, values := range r.Form {
			args[name] = values[0]
		}
		delete(args, "token")
	}
	return args, ""
}

func readJSON(r *http.Request) (arguments, string) {
	var fields map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&fields); err != nil && !errors.Is(err, io.EOF) { // libraries send no body at all
		return nil, "invalid_json"
	}
	args := arguments{}
	for name, raw := range fields {
		var text string
		switch {
		case bytes.Equal(raw, []byte("null")):
		case json.Unmarshal(raw, &text) == nil:
			args[name] = text
		default:
			args[name] = string(raw)
		}
	}
	return args, ""
}

// list reads an argument that is a JSON array. It is nil when absent and empty, not nil, for [].
func (a arguments) list(name string) ([]json.RawMessage, error) {
	text, present := a[name]
	if !present || text == "" || text == "null" {
		return nil, nil
	}
	items := []json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return items, nil
}
