package lambda

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
)

// documented is the alert of docs/conditions.md, in the words of the API.
type documented struct {
	BehaviorModel, Summary         string
	Behavior, Key, KeyType, Source *string
	Severity                       dispatch.Severity
	RiskScore                      *int
	Risks                          []string
	Attributes, Payload            dispatch.JSON
	OccurredAt                     time.Time
}

var (
	block  = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")
	monday = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
)

// The worked cases of the document give what it says they do.
func TestDocumentedConditions(t *testing.T) {
	document, err := os.ReadFile("../docs/conditions.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(document), monday.Format("Monday, 2006-01-02T15:04:05Z07:00")) {
		t.Error("the document is about another time")
	}
	var alert documented
	var open dispatch.Ticket
	c, cases := conditions(t), 0
	for _, found := range block.FindAllStringSubmatch(string(document), -1) {
		sort, text := found[1], strings.TrimSpace(found[2])
		switch sort {
		case "json":
			decode(t, text, &alert)
		case "json ticket":
			decode(t, text, &open)
		case "cel true", "cel false":
			cases++
			holds, clauses, err := c.Evaluate(t.Context(), text, alert.raised(), &open, monday)
			if err != nil || "cel "+map[bool]string{true: "true", false: "false"}[holds] != sort {
				t.Errorf("%s: %v, %v; the document says %s\n%s", text, holds, err, sort, lines(clauses))
			}
		case "":
			if err := c.Check(text); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		default:
			t.Errorf("nothing knows what to do with ```%s", sort)
		}
	}
	if cases < 10 {
		t.Errorf("found %d worked cases", cases)
	}
}

// Every function that a misspelt one is compared with, and every field, is told of.
func TestDocumentTellsAllWords(t *testing.T) {
	document, err := os.ReadFile("../docs/conditions.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range append(append([]string{
		"severityRank(", "inCIDR(", "hourIn(", "weekdayIn(", "lower(", "upper(", ".contains(", ".matches(", "orValue(", "has(",
	}, fieldsOf("alert", alertShape)...), fieldsOf("ticket", ticketShape)...) {
		if !strings.Contains(string(document), word) {
			t.Errorf("the document does not tell of %s", word)
		}
	}
}

// fieldsOf are the fields as the table of the document has them.
func fieldsOf(root string, s *shape) []string {
	var out []string
	for _, field := range s.names {
		out = append(out, "."+field+"`")
	}
	return append(out, "`"+root+".")
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func (d documented) raised() dispatch.Alert {
	return dispatch.Alert{
		BehaviorModel: d.BehaviorModel, Behavior: d.Behavior, Key: d.Key, KeyType: d.KeyType, Severity: d.Severity,
		RiskScore: d.RiskScore, Risks: d.Risks, Summary: d.Summary, Source: d.Source, Attributes: d.Attributes, Payload: d.Payload,
		DedupKey: "k", OccurredAt: d.OccurredAt, ReceivedAt: d.OccurredAt, RaisedBy: dispatch.Origin{Kind: dispatch.FromToken, Name: "siem"},
	}
}
