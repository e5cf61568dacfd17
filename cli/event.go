package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// watchQuery asks for what the lines show, and for ids to ask for the rest.
const watchQuery = `subscription($after:String){ticketEvents(after:$after){
id cursor kind at by{kind name} statusBefore status severityBefore severity assignee ticketVersion text
ticket{id number title status severity behaviorModel key keyType assignee alertCount url}
alert{id summary severity} link{id actorName apiConfigName externalId externalUrl} delivery{id}}}`

// event is what is read of a TicketEvent; whole is all that was answered.
type event struct {
	eventFields
	whole json.RawMessage
}

type eventFields struct {
	Cursor         string
	Kind           string
	At             string
	By             struct{ Name string }
	StatusBefore   string
	Status         string
	SeverityBefore string
	Severity       string
	Assignee       string
	Text           string
	Ticket         struct {
		Number int
		Title  string
	}
	Alert *struct{ Summary string }
	Link  *struct{ ActorName, ExternalID, ExternalURL string }
}

func (e *event) UnmarshalJSON(text []byte) error {
	e.whole = bytes.Clone(text)
	return json.Unmarshal(text, &e.eventFields)
}

// maxShown is how much of a text a line shows, in characters.
const maxShown = 200

// humanLine is an event on one line, safe to print on a terminal.
func humanLine(e event) string {
	what := "by " + cut(e.By.Name, maxShown)
	if about := e.about(); about != "" {
		what = about + " " + what
	}
	line := fmt.Sprintf("%s  T-%d  %-16s  %s: %s", e.At, e.Ticket.Number, e.Kind, what, cut(e.Ticket.Title, maxShown))
	if e.Text != "" {
		line += " (" + cut(e.Text, maxShown) + ")"
	}
	return plain(line)
}

// about is what changed.
func (e event) about() string {
	switch {
	case e.Kind == "ALERT_JOINED" && e.Alert != nil:
		return "“" + cut(e.Alert.Summary, maxShown) + "”"
	case e.Kind == "STATUS_CHANGED":
		return e.StatusBefore + " → " + e.Status
	case e.Kind == "SEVERITY_CHANGED":
		return e.SeverityBefore + " → " + e.Severity
	case e.Kind == "ASSIGNED" && e.Assignee == "":
		return "to nobody"
	case e.Kind == "ASSIGNED":
		return "to " + cut(e.Assignee, maxShown)
	case e.Kind == "LINKED" && e.Link != nil:
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Link.ActorName, cut(e.Link.ExternalID, maxShown), cut(e.Link.ExternalURL, maxShown)))
	case e.Kind == "OPENED":
		return e.Severity
	}
	return ""
}

// jsonLine is an event as the server told it.
func jsonLine(e event) string {
	var line bytes.Buffer
	if err := json.Compact(&line, e.whole); err != nil {
		return plain(string(e.whole)) // it was read as JSON before
	}
	return printable(line.String())
}

// printable makes JSON safe to print on a terminal: what is not printable is
// escaped, which changes no value.
func printable(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsPrint(r), r == '\n':
			out.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}
