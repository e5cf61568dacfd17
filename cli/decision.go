package cli

import (
	"encoding/json"
	"fmt"
	"strings"
)

// dryRan is what a server tells of a dry run.
type dryRan struct {
	WouldOpenTicket bool
	WouldJoinTicket *struct {
		Number        int
		Title, Status string
	}
	Decisions  []decision
	UserErrors []userError
}

// decision is a Decision of the contract.
type decision struct {
	ActionName, Verdict, Reason string
	Problems                    []string
	Condition                   []struct {
		Expression string
		Values     json.RawMessage
		Result     *bool
	}
	Lambdas []struct {
		Name       string
		Version    int
		Difference json.RawMessage
		Logs       []string
		Error      string
	}
	Requests []struct {
		APIConfigName string
		Request       json.RawMessage
		Problem       string
	}
}

// String tells it in words that are safe to print on a terminal.
func (d *dryRan) String() string {
	var out page
	switch t := d.WouldJoinTicket; {
	case t != nil:
		out.linef("The alert would join T-%d, which is %s: %s", t.Number, t.Status, cut(t.Title, maxShown))
	case d.WouldOpenTicket:
		out.linef("The alert would open a ticket.")
	default:
		out.linef("The alert would have no ticket.")
	}
	if len(d.Decisions) == 0 {
		out.linef("No action applies to its behavior model.")
	}
	for _, one := range d.Decisions {
		out.linef("")
		one.tell(&out)
	}
	return out.String()
}

// verdicts are those of the contract in words; one that is not known is told as
// it came.
var verdicts = map[string]string{
	"FIRED": "would fire", "DISABLED": "would not fire", "MODEL_NOT_COVERED": "would not fire", "MODEL_DISABLED": "would not fire",
	"CONDITION_FALSE": "would not fire", "DROPPED_BY_LAMBDA": "would not fire", "STOPPED_BY_LAMBDA_ERROR": "would not fire",
	"HELD_BY_RENOTIFY": "would hold back",
}

func (d *decision) tell(out *page) {
	said := verdicts[d.Verdict]
	if said == "" {
		said = "is decided"
	}
	out.linef("%s %s (%s): %s.", d.ActionName, said, d.Verdict, d.Reason)
	for _, problem := range d.Problems {
		out.block("  problem: ", problem)
	}
	for _, clause := range d.Condition {
		result := "not looked at"
		if clause.Result != nil {
			result = fmt.Sprint(*clause.Result)
		}
		out.linef("  clause %s: %s%s", result, cut(clause.Expression, maxShown), seen(clause.Values))
	}
	d.tellLambdas(out)
	for _, r := range d.Requests {
		request := string(r.Request)
		if request == "{}" {
			request = "nothing"
		}
		out.linef("  request through %s: %s", r.APIConfigName, request)
		if r.Problem != "" {
			out.block("    problem: ", r.Problem)
		}
	}
}

func (d *decision) tellLambdas(out *page) {
	for _, l := range d.Lambdas {
		out.linef("  lambda %s, version %d", l.Name, l.Version)
		for _, line := range l.Logs {
			out.linef("    log: %s", line)
		}
		for _, change := range changes(l.Difference) {
			out.linef("    changed %s", change)
		}
		if l.Error != "" {
			out.block("    error: ", l.Error)
		}
	}
}

// seen are the values of a clause; nothing when it names none.
func seen(values json.RawMessage) string {
	if len(values) == 0 || string(values) == "{}" || string(values) == "null" {
		return ""
	}
	return "  with " + cut(string(values), maxShown)
}

// changes tells a difference by field, {"severity": {"from": …, "to": …}}, in the
// order that it came in.
func changes(difference json.RawMessage) []string {
	if len(difference) == 0 {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(difference)))
	_, err := d.Token() // {
	var all []string
	for err == nil && d.More() {
		var field json.Token
		var step struct{ From, To json.RawMessage }
		if field, err = d.Token(); err == nil {
			err = d.Decode(&step)
		}
		if err == nil {
			all = append(all, fmt.Sprintf("%v: %s → %s", field, cut(string(step.From), maxShown), cut(string(step.To), maxShown)))
		}
	}
	return all
}

// page is a text of lines that are safe to print on a terminal.
type page struct{ strings.Builder }

func (p *page) linef(format string, values ...any) {
	p.WriteString(plain(fmt.Sprintf(format, values...)) + "\n")
}

// block is a text of several lines after a name.
func (p *page) block(name, text string) {
	p.WriteString(name + strings.ReplaceAll(plainLines(text), "\n", "\n    ") + "\n")
}
