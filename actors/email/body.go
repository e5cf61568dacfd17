package email

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // letter.html
	"encoding/hex"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// Limits in characters; what is over is cut visibly.
const (
	maxSubject     = 200
	maxBody        = 100_000
	maxFact        = 1_000
	maxDescription = 20_000
)

// body is what a person reads.
type body struct{ subject, text, html string } // html may be empty

// compose takes the user's words, and where there are none the alert's facts.
func compose(s *ConfigSettings, p dispatch.Parcel) body {
	page := pageOf(p)
	b := body{subject: page.subjectOr(s.Subject), text: s.Text, html: s.HTML}
	blank := func(text string) bool { return strings.TrimSpace(text) == "" }
	if blank(b.html) {
		b.html = ""
		if blank(b.text) {
			b.html = page.html()
		}
	}
	if blank(b.text) {
		b.text = page.text()
	} else if p.Test {
		b.text = testNote + "\n\n" + b.text
	}
	if p.Test {
		b.subject = "[Test] " + b.subject
	}
	return b.clipped()
}

// clipped is the body within the limits.
func (b body) clipped() body {
	// What looks like an encoded word would be decoded by whoever reads it.
	subject := strings.ReplaceAll(b.subject, "=?", "= ?")
	return body{
		subject: clip.Characters(subject, maxSubject),
		text:    clip.Characters(b.text, maxBody),
		html:    clip.Characters(b.html, maxBody),
	}
}

const testNote = "This is a test message: a person asked for it, and nothing has happened."

// boundary parts text from HTML. It hangs on both, so that neither can hold it,
// and is the same at every attempt.
func (b body) boundary(id string) string {
	sum := sha256.Sum256([]byte(id + "\x00" + b.text + "\x00" + b.html))
	return "tocsin-" + hex.EncodeToString(sum[:16])
}

// page is what the default words are made from.
type page struct {
	Test        bool
	Severity    string
	Color       string
	Ticket      string // its number, "" without a ticket
	Title       string
	Summary     string
	Description string
	Facts       []fact
	TicketURL   string
	Link        string
	Note        string // of a test
}

// fact is one line of a table.
type fact struct{ Name, Value string }

var colors = map[dispatch.Severity]string{
	dispatch.Critical: "#b3001b", dispatch.High: "#e5481d", dispatch.Medium: "#f2a900",
	dispatch.Low: "#2f81f7", dispatch.Info: "#8b949e",
}

func pageOf(p dispatch.Parcel) page {
	a := p.Alert
	out := page{
		Test: p.Test, Note: testNote, Severity: string(a.Severity), Color: cmp.Or(colors[a.Severity], colors[dispatch.Info]),
		Title: a.Summary, Summary: clip.Characters(oneLine(a.Summary), maxFact), Facts: facts(a), TicketURL: p.TicketURL,
		Description: clip.Characters(strings.TrimSpace(value(a.Description)), maxDescription), Link: value(a.Link),
	}
	if p.Ticket != nil {
		out.Ticket, out.Title = fmt.Sprintf("T-%d", p.Ticket.Number), p.Ticket.Title
	}
	return out
}

func facts(a dispatch.Alert) []fact {
	var out []fact
	add := func(name, value string) {
		if value = oneLine(value); value != "" {
			out = append(out, fact{name, clip.Characters(value, maxFact)})
		}
	}
	add("Severity", string(a.Severity))
	add("Behavior model", a.BehaviorModel)
	add("Behavior", value(a.Behavior))
	key := value(a.Key)
	if kind := value(a.KeyType); key != "" && kind != "" {
		key += " (" + kind + ")"
	}
	add("Key", key)
	if a.RiskScore != nil {
		add("Risk score", strconv.Itoa(*a.RiskScore))
	}
	add("Risks", strings.Join(a.Risks, ", "))
	add("Source", value(a.Source))
	add("Occurred", a.OccurredAt.UTC().Format(time.DateTime+" UTC"))
	return out
}

// subject is the same for all alerts of a ticket with one severity, since some
// mailboxes make a conversation only of messages whose subject is the same.
func (p page) subject() string {
	subject := p.Severity + ": " + oneLine(p.Title)
	if p.Ticket != "" {
		subject = "[" + p.Ticket + "] " + subject
	}
	return subject
}

// subjectOr is the user's own subject, where there is one.
func (p page) subjectOr(own string) string { return cmp.Or(oneLine(own), p.subject()) }

func (p page) text() string {
	var parts []string
	if p.Test {
		parts = append(parts, p.Note)
	}
	parts = append(parts, p.Summary)
	if p.Description != "" {
		parts = append(parts, p.Description)
	}
	var lines []string
	for _, f := range p.Facts {
		lines = append(lines, f.Name+": "+f.Value)
	}
	parts = append(parts, strings.Join(lines, "\n"))
	if p.Ticket != "" {
		parts = append(parts, strings.TrimSpace("Ticket "+p.Ticket+" "+p.TicketURL))
	}
	if p.Link != "" {
		parts = append(parts, "Details "+p.Link)
	}
	return strings.Join(parts, "\n\n") + "\n"
}

//go:embed letter.html
var letterHTML string

var letterTemplate = template.Must(template.New("letter").Parse(letterHTML))

func (p page) html() string {
	var out bytes.Buffer
	if err := letterTemplate.Execute(&out, p); err != nil {
		return "" // the text says the same
	}
	return out.String()
}

// oneLine is a text in one line: no control characters, single spaces.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
