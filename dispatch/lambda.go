package dispatch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Lambda is a small function that filters, changes or enriches an alert on its
// way out. Every version of it is kept, so that a decision can name the one it ran.
type Lambda struct {
	ID          string
	Name        string
	Description *string
	Source      string // JavaScript or TypeScript
	Config      JSON   // an object, which the function reads as ctx.config
	Tests       []LambdaTest
	OnError     LambdaFailurePolicy
	Version     int
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// LambdaTest is a case that must pass before a change of the lambda is accepted.
type LambdaTest struct {
	Name   string `json:"name"`
	Alert  JSON   `json:"alert"`            // fields of an alert; the others are as in an alert of no special kind
	Expect JSON   `json:"expect,omitempty"` // fields that must come out so; null: it must be dropped
}

// LambdaFailurePolicy says what becomes of an alert whose lambda failed.
type LambdaFailurePolicy string

// The failure policies.
const (
	PassUnchanged LambdaFailurePolicy = "PASS_UNCHANGED" // it goes on as it was before the lambda
	StopOnError   LambdaFailurePolicy = "STOP"           // it stops here
)

// LambdaTrace is what one lambda did to one alert.
type LambdaTrace struct {
	LambdaID   string   `json:"lambdaId"`
	Name       string   `json:"name"`
	Version    int      `json:"version"` // 0 for a draft
	DurationMS float64  `json:"durationMs"`
	Changed    bool     `json:"changed"`
	Difference JSON     `json:"difference,omitempty"` // by field: {"from": …, "to": …}
	Logs       []string `json:"logs"`
	Error      *string  `json:"error,omitempty"`
}

// Trace is how a decision came about.
type Trace struct {
	Condition []Clause      `json:"condition,omitempty"`
	Lambdas   []LambdaTrace `json:"lambdas,omitempty"`
}

// shownField is a field of an alert as lambdas see it.
type shownField struct {
	name string
	show func(a Alert) any
	take func(a *Alert) any // where to decode a changed value into; nil: it cannot be changed
}

// shownFields are named as in the API. What the ticket is found by, and what
// says when and whence the alert came, stays as it is.
var shownFields = []shownField{
	{"id", func(a Alert) any { return a.ID }, nil},
	{"behaviorModel", func(a Alert) any { return a.BehaviorModel }, nil},
	{"behavior", func(a Alert) any { return a.Behavior }, func(a *Alert) any { return &a.Behavior }},
	{"key", func(a Alert) any { return a.Key }, func(a *Alert) any { return &a.Key }},
	{"keyType", func(a Alert) any { return a.KeyType }, func(a *Alert) any { return &a.KeyType }},
	{"severity", func(a Alert) any { return a.Severity }, func(a *Alert) any { return &a.Severity }},
	{"riskScore", func(a Alert) any { return a.RiskScore }, func(a *Alert) any { return &a.RiskScore }},
	{"risks", func(a Alert) any { return a.Risks }, func(a *Alert) any { return &a.Risks }},
	{"summary", func(a Alert) any { return a.Summary }, func(a *Alert) any { return &a.Summary }},
	{"description", func(a Alert) any { return a.Description }, func(a *Alert) any { return &a.Description }},
	{"source", func(a Alert) any { return a.Source }, func(a *Alert) any { return &a.Source }},
	{"link", func(a Alert) any { return a.Link }, func(a *Alert) any { return &a.Link }},
	{"attributes", func(a Alert) any { return a.Attributes }, func(a *Alert) any { return &a.Attributes }},
	{"payload", func(a Alert) any { return a.Payload }, func(a *Alert) any { return &a.Payload }},
	{"dedupKey", func(a Alert) any { return a.DedupKey }, nil},
	{"occurredAt", func(a Alert) any { return a.OccurredAt }, nil},
	{"receivedAt", func(a Alert) any { return a.ReceivedAt }, nil},
	{"raisedBy", func(a Alert) any { return a.RaisedBy.Name }, nil},
}

// shown is an alert as lambdas see it.
func (a Alert) shown() JSON {
	var out bytes.Buffer
	for i, f := range shownFields {
		out.WriteByte("{,"[min(i, 1)])
		out.WriteString(`"` + f.name + `":`)
		out.Write(written(f.show(a)))
	}
	out.WriteByte('}')
	return out.Bytes()
}

// written is a value as JSON; what cannot be written is null.
func written(v any) JSON {
	raw, err := json.Marshal(v)
	if err != nil {
		return JSON("null")
	}
	return raw
}

// With is the alert with the fields that lambdas changed.
func (a Alert) With(change JSON) (Alert, error) {
	if len(change) == 0 {
		return a, nil
	}
	changed, _, err := a.changed(change)
	return changed, err
}

// changed is the alert that a lambda made of this one: what it returned, where a
// field that is left out stays as it is. The change holds the fields that differ.
func (a Alert) changed(returned JSON) (Alert, map[string]JSON, error) {
	fields := map[string]JSON{}
	if err := json.Unmarshal(returned, &fields); err != nil {
		return a, nil, fmt.Errorf("the alert that came out is not an object: %w", err)
	}
	change := map[string]JSON{}
	for _, f := range shownFields {
		raw, given := fields[f.name]
		delete(fields, f.name)
		if !given || alike(raw, written(f.show(a))) {
			continue
		}
		if f.take == nil {
			return a, nil, fmt.Errorf("alert.%s cannot be changed; change other fields, or put what you found out into alert.attributes", f.name)
		}
		change[f.name] = raw
	}
	if len(fields) > 0 {
		unknown := slices.Sorted(maps.Keys(fields))
		return a, nil, fmt.Errorf("alert.%s is no field of an alert; put what you found out into alert.attributes", unknown[0])
	}
	out, err := a.taken(change)
	return out, change, err
}

// taken is the alert with other values, where they are good ones.
func (a Alert) taken(change map[string]JSON) (Alert, error) {
	out := a
	for _, f := range shownFields {
		raw, given := change[f.name]
		if !given || f.take == nil {
			continue
		}
		blank := Alert{}
		target := f.take(&blank)
		if err := json.Unmarshal(raw, target); err != nil {
			return a, fmt.Errorf("alert.%s cannot be %s", f.name, Cut(string(raw), 60))
		}
		reflect.ValueOf(f.take(&out)).Elem().Set(reflect.ValueOf(target).Elem())
	}
	if string(out.Attributes) == "null" || len(out.Attributes) == 0 {
		out.Attributes = JSON("{}")
	}
	if string(out.Payload) == "null" {
		out.Payload = nil
	}
	if out.Risks == nil {
		out.Risks = []string{}
	}
	return out, out.sound()
}

// sound is nil for an alert that could have been raised so.
func (a Alert) sound() error {
	problems := RaiseAlertInput{
		BehaviorModel: a.BehaviorModel, Summary: a.Summary, Behavior: a.Behavior, Key: a.Key, KeyType: a.KeyType, Severity: &a.Severity,
		RiskScore: a.RiskScore, Risks: a.Risks, Description: a.Description, Source: a.Source, Link: a.Link, Attributes: a.Attributes, Payload: a.Payload,
	}.Check()
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = "alert." + p.Message
	}
	return fmt.Errorf("the alert that came out cannot be used: %s", strings.Join(texts, "; "))
}

// alike tells whether two JSON texts say the same to JavaScript, which knows
// numbers as doubles: an untouched number of many digits is no change.
func alike(a, b JSON) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

// difference tells a change by field.
func (a Alert) difference(change map[string]JSON) JSON {
	if len(change) == 0 {
		return nil
	}
	type step struct {
		From JSON `json:"from"`
		To   JSON `json:"to"`
	}
	out := map[string]step{}
	for _, f := range shownFields {
		if to, ok := change[f.name]; ok {
			out[f.name] = step{written(f.show(a)), to}
		}
	}
	return written(out)
}

// Condition is each clause of the action's condition as it was seen.
func (d Decision) Condition() []Clause { return d.Trace.Condition }

// Lambdas is what each lambda of the action did.
func (d Decision) Lambdas() []LambdaTrace { return d.Trace.Lambdas }
