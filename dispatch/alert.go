package dispatch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// JSON is a JSON text that the server keeps as it came. Nil stands for null.
type JSON = json.RawMessage

// Severity says how bad an alert or a ticket is.
type Severity string

// The severities, from the mildest to the worst.
const (
	Info     Severity = "INFO"
	Low      Severity = "LOW"
	Medium   Severity = "MEDIUM"
	High     Severity = "HIGH"
	Critical Severity = "CRITICAL"
)

// Severities lists all severities, the mildest first.
var Severities = []Severity{Info, Low, Medium, High, Critical}

// Rank orders severities: 0 for INFO up to 4 for CRITICAL, -1 for anything else.
func (s Severity) Rank() int {
	for i, known := range Severities {
		if s == known {
			return i
		}
	}
	return -1
}

// Alert is one firing of a behavior model. It never changes once it is stored.
type Alert struct {
	ID            string
	BehaviorModel string
	Behavior      *string
	Key           *string
	KeyType       *string
	Severity      Severity
	RiskScore     *int
	Risks         []string
	Summary       string
	Description   *string
	Source        *string
	Link          *string
	Attributes    JSON // an object
	Payload       JSON // nil when none was sent
	DedupKey      string
	OccurredAt    time.Time
	ReceivedAt    time.Time
	RaisedBy      Origin
	TicketID      *string
}

// RaiseAlertInput is what a caller says happened.
type RaiseAlertInput struct {
	BehaviorModel  string
	Summary        string
	Behavior       *string
	Key            *string
	KeyType        *string
	Severity       *Severity
	RiskScore      *int
	Risks          []string
	Description    *string
	Source         *string
	Link           *string
	Attributes     JSON
	Payload        JSON
	DedupKey       *string
	OccurredAt     *time.Time
	IdempotencyKey *string
}

// Limits of an alert's texts, in characters, and of its JSON, in bytes.
const (
	maxName        = 200
	maxSummary     = 2_000
	maxText        = 20_000
	maxDedupKey    = 500
	maxRisks       = 100
	maxJSON        = 512 << 10
	maxIdempotency = 200
)

// Check lists what is wrong with the input; none means that it can be raised.
func (in RaiseAlertInput) Check() []UserError {
	var c checker
	c.text("behaviorModel", in.BehaviorModel, maxName)
	c.text("summary", in.Summary, maxSummary)
	c.optional("behavior", in.Behavior, maxName)
	c.optional("key", in.Key, maxDedupKey)
	c.optional("keyType", in.KeyType, maxName)
	c.optional("description", in.Description, maxText)
	c.optional("source", in.Source, maxName)
	c.link("link", in.Link)
	c.optional("dedupKey", in.DedupKey, maxDedupKey)
	c.optional("idempotencyKey", in.IdempotencyKey, maxIdempotency)
	if in.Severity != nil && in.Severity.Rank() < 0 {
		c.add(CodeInvalid, "severity", "is not one of INFO, LOW, MEDIUM, HIGH, CRITICAL")
	}
	if len(in.Risks) > maxRisks {
		c.add(CodeLimitExceeded, "risks", fmt.Sprintf("has %d entries; give at most %d", len(in.Risks), maxRisks))
	}
	for i, risk := range in.Risks {
		c.text(fmt.Sprintf("risks.%d", i), risk, maxName)
	}
	c.object("attributes", in.Attributes)
	c.size("payload", in.Payload)
	c.moment("occurredAt", in.OccurredAt)
	return c.problems
}

// alert makes the stored alert of a checked input. Severity falls back to the
// model's own, the moment of the event to the moment it was received.
func (in RaiseAlertInput) alert(id string, model BehaviorModel, by Origin, now time.Time) Alert {
	a := Alert{
		ID: id, BehaviorModel: model.Name, Behavior: in.Behavior, Key: in.Key, KeyType: in.KeyType,
		Severity: model.Severity, RiskScore: in.RiskScore, Risks: in.Risks, Summary: in.Summary,
		Description: in.Description, Source: in.Source, Link: in.Link, Attributes: in.Attributes, Payload: in.Payload,
		OccurredAt: now, ReceivedAt: now, RaisedBy: by,
	}
	if in.Severity != nil {
		a.Severity = *in.Severity
	}
	if in.OccurredAt != nil {
		a.OccurredAt = in.OccurredAt.UTC().Truncate(time.Millisecond)
	}
	if len(a.Attributes) == 0 {
		a.Attributes = JSON("{}")
	}
	if a.Risks == nil {
		a.Risks = []string{}
	}
	a.DedupKey = dedupKey(in, model.Name)
	return a
}

// dedupKey joins model and key with their lengths, so that no two pairs give
// one text; without a key there is one ticket a model.
func dedupKey(in RaiseAlertInput, model string) string {
	if in.DedupKey != nil && *in.DedupKey != "" {
		return *in.DedupKey
	}
	key := ""
	if in.Key != nil {
		key = *in.Key
	}
	return fmt.Sprintf("%d:%s/%d:%s", len(model), model, len(key), key)
}

// checker gathers what is wrong with an input, field by field.
type checker struct{ problems []UserError }

func (c *checker) add(code UserErrorCode, field, message string) {
	path := strings.Split(field, ".")
	c.problems = append(c.problems, UserError{Code: code, Message: strings.Join(path, ".") + " " + message, Path: path})
}

func (c *checker) text(field, value string, limit int) {
	if strings.TrimSpace(value) == "" {
		c.add(CodeRequired, field, "is empty; give some text")
		return
	}
	c.optional(field, &value, limit)
}

func (c *checker) optional(field string, value *string, limit int) {
	if value == nil {
		return
	}
	if !utf8.ValidString(*value) {
		c.add(CodeInvalid, field, "is not valid UTF-8; encode it as UTF-8")
		return
	}
	if strings.ContainsRune(*value, 0) {
		c.add(CodeInvalid, field, "holds a NUL character; take it out")
		return
	}
	if n := utf8.RuneCountInString(*value); n > limit {
		c.add(CodeLimitExceeded, field, fmt.Sprintf("has %d characters; give at most %d", n, limit))
	}
}

func (c *checker) link(field string, value *string) {
	c.optional(field, value, maxSummary)
	if value != nil && *value != "" && !strings.HasPrefix(*value, "https://") && !strings.HasPrefix(*value, "http://") {
		c.add(CodeInvalid, field, "is not a web address; begin it with https:// or http://")
	}
}

func (c *checker) size(field string, value JSON) {
	if len(value) > maxJSON {
		c.add(CodeLimitExceeded, field, fmt.Sprintf("has %d bytes; give at most %d", len(value), maxJSON))
	}
	if holdsNUL(value) {
		c.add(CodeInvalid, field, "holds a NUL character; take it out")
	}
}

// holdsNUL tells whether a text in JSON holds the character NUL, which
// PostgreSQL cannot keep. A backslash that is escaped itself begins nothing.
func holdsNUL(value JSON) bool {
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(value[i:], []byte(`\u0000`)) {
			return true
		}
		i++ // over the character that is escaped
	}
	return false
}

func (c *checker) object(field string, value JSON) {
	c.size(field, value)
	if trimmed := strings.TrimSpace(string(value)); trimmed != "" && trimmed != "null" && trimmed[0] != '{' {
		c.add(CodeInvalid, field, `is not a JSON object; give one such as {"host": "db-1"}`)
	}
}

func (c *checker) moment(field string, value *time.Time) {
	if value != nil && (value.Year() < 1970 || value.Year() > 9999) {
		c.add(CodeInvalid, field, "is outside the years 1970 to 9999; give a time within them")
	}
}
