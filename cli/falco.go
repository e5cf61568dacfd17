package cli

import (
	"encoding/json"
	"errors"
	"strings"
)

// falcoEvent is what is read of an event that Falco writes with json_output,
// as its manual has it in "Alert Formatting". The whole goes along as payload.
type falcoEvent struct {
	Rule         string                     `json:"rule"`
	Priority     string                     `json:"priority"`
	Output       string                     `json:"output"`
	OutputFields map[string]json.RawMessage `json:"output_fields"`
	Time         string                     `json:"time"`
	Hostname     string                     `json:"hostname"`
	Source       string                     `json:"source"`
	Tags         []string                   `json:"tags"`
}

// falcoSeverities turn Falco's priorities, which are those of syslog.
var falcoSeverities = map[string]string{
	"emergency": "CRITICAL", "alert": "CRITICAL", "critical": "CRITICAL", "error": "HIGH",
	"warning": "MEDIUM", "notice": "LOW", "informational": "INFO", "debug": "INFO",
}

// fromFalco reads an event of Falco; every one raises.
func fromFalco(line []byte, key string) ([]byte, error) {
	line = withoutNUL(line)
	var e falcoEvent
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, foreign("Falco's JSON output", err)
	}
	if e.Rule == "" {
		return nil, errors.New("rule: is missing; give Falco's JSON output, or choose another --format")
	}
	return encode(e.raised(line, key))
}

func (e falcoEvent) raised(line []byte, key string) alert {
	a := alert{
		BehaviorModel: e.Rule, Behavior: e.Source, Summary: cut(e.Output, maxSummary), Key: e.Hostname,
		Severity: falcoSeverities[strings.ToLower(e.Priority)], Source: "falco",
		Payload: line, OccurredAt: moment(e.Time), IdempotencyKey: key,
	}
	if e.Hostname != "" {
		a.KeyType = "asset"
	}
	if a.Behavior == "" && len(e.Tags) > 0 {
		a.Behavior = e.Tags[0]
	}
	if strings.TrimSpace(a.Summary) == "" {
		a.Summary = e.Rule // json_include_output_property is off
	}
	if e.OutputFields != nil {
		a.Attributes = e.OutputFields
	}
	return a
}
