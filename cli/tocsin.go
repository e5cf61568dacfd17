package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// fields are those of RaiseAlertInput, each with what its value must be. A
// server refuses a whole request for one value of the wrong type, so lines are
// held to their types here; everything else about them is the server's to say.
var fields = map[string]func(json.RawMessage) string{
	"behaviorModel": text, "summary": text, "behavior": text, "key": text, "keyType": text,
	"severity": severity, "riskScore": number, "risks": texts, "description": text,
	"source": text, "link": text, "attributes": anything, "payload": anything,
	"dedupKey": text, "occurredAt": instant, "idempotencyKey": text,
}

// fromTocsin reads an alert as the API takes it. An idempotency key of its own is kept.
func fromTocsin(line []byte, key string) ([]byte, error) {
	var given map[string]json.RawMessage
	if json.Unmarshal(line, &given) != nil || given == nil {
		return nil, errors.New("is not a JSON object; give one alert a line, such as {\"behaviorModel\": …, \"summary\": …}")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		check, ok := fields[name]
		if !ok {
			return nil, fmt.Errorf("%q: is not a field of an alert; there are %s", name, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		if problem := check(given[name]); problem != "" && !isNull(given[name]) {
			return nil, fmt.Errorf("%s: %s", name, problem)
		}
	}
	for _, name := range []string{"behaviorModel", "summary"} {
		if isNull(given[name]) {
			return nil, fmt.Errorf("%s: is missing; give some text", name)
		}
	}
	if isNull(given["idempotencyKey"]) || string(given["idempotencyKey"]) == `""` {
		given["idempotencyKey"] = json.RawMessage(`"` + key + `"`)
	}
	return encode(given)
}

// isNull tells whether a value is null or not there.
func isNull(value json.RawMessage) bool { return len(value) == 0 || bytes.Equal(value, []byte("null")) }

func is[T any](value json.RawMessage) bool {
	var read T
	return json.Unmarshal(value, &read) == nil
}

func text(value json.RawMessage) string {
	if is[string](value) {
		return ""
	}
	return "is not text; put it in quotes"
}

func texts(value json.RawMessage) string {
	var read []*string
	if json.Unmarshal(value, &read) == nil && !slices.Contains(read, nil) {
		return ""
	}
	return "is not a list of texts; give one such as [\"T1110\"]"
}

func number(value json.RawMessage) string {
	if is[int32](value) {
		return ""
	}
	return "is not a whole number of 32 bits; give one such as 80"
}

func severity(value json.RawMessage) string {
	var read string
	if json.Unmarshal(value, &read) == nil && slices.Contains(severities, read) {
		return ""
	}
	return "is not one of " + strings.Join(severities, ", ")
}

// severities are those of the contract.
var severities = []string{"INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL"}

func instant(value json.RawMessage) string {
	if is[time.Time](value) {
		return ""
	}
	return "is not a time as RFC 3339 has it; give one such as 2026-01-02T03:04:05Z"
}

func anything(json.RawMessage) string { return "" }
