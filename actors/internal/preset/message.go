package preset

import (
	"slices"
	"strconv"
	"strings"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// Message is an alert as a person reads it.
type Message struct {
	Title    string // one line
	Text     string
	Facts    []Fact
	URL      string // of the ticket; "" without one
	Severity dispatch.Severity
}

// Fact is a line of a message.
type Fact struct{ Name, Value string }

// Of is the message of a parcel, whose text the API config gives.
func Of(text string, p dispatch.Parcel) Message {
	return of(text, p.Alert, p.Ticket, p.TicketURL, p.Test)
}

// OfUpdate is the message of a ticket as it is now.
func OfUpdate(text string, u dispatch.StatusUpdate) Message {
	return of(text, u.Alert, &u.Ticket, u.TicketURL, false)
}

func of(text string, a dispatch.Alert, t *dispatch.Ticket, url string, test bool) Message {
	m := Message{Title: string(a.Severity) + ": " + a.BehaviorModel, Text: text, URL: url, Severity: a.Severity}
	if test {
		m.Title = "Test: " + m.Title
		m.Text = "This is a test of Tocsin. " + m.Text
	}
	if Plain(m.Text) == "" {
		m.Text = m.Title
	}
	m.Facts = facts(a, t)
	return m
}

func facts(a dispatch.Alert, t *dispatch.Ticket) []Fact {
	all := []Fact{
		{"Severity", string(a.Severity)},
		{"Behavior model", a.BehaviorModel},
		{label(a), value(a.Key)},
		{"Risk score", score(a.RiskScore)},
		{"Risks", strings.Join(a.Risks, ", ")},
		{"Source", value(a.Source)},
	}
	if t != nil {
		all = append(all, Fact{"Ticket", "T-" + strconv.Itoa(t.Number) + ", " + string(t.Status)})
	}
	return slices.DeleteFunc(all, func(f Fact) bool { return Plain(f.Value) == "" })
}

func score(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func label(a dispatch.Alert) string {
	if a.KeyType == nil || *a.KeyType == "" {
		return "Key"
	}
	return clip.Characters(*a.KeyType, 40)
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Style is how a service writes a text. What stands for a character in Escape is
// counted as the service counts it.
type Style struct {
	Escape map[rune]string
	Strong string                        // around the text, such as **; "" for none
	Break  string                        // between lines; "" is a line feed
	Link   func(name, url string) string // nil writes the address alone
	// Limit is how long the whole may be, in characters.
	Limit int
}

// maxFact is how long a fact may be, so that all facts leave room for the text.
const maxFact = 150

// Write is the message in a style. The text is what is cut when it is too long.
func (m Message) Write(s Style) string {
	if s.Break == "" {
		s.Break = "\n"
	}
	lines := s.facts(m.Facts)
	if m.URL != "" {
		lines = append(lines, s.link(m.URL))
	}
	tail := strings.Join(lines, s.Break)
	room := s.Limit - len([]rune(tail)) - 2*len(s.Strong) - len(s.Break)
	if room < 40 { // a service of short messages gets the text alone
		return s.short(m)
	}
	return s.Strong + s.text(m.Text, room) + s.Strong + s.Break + tail
}

// short is the text, with the address of the ticket where that fits.
func (s Style) short(m Message) string {
	tail := ""
	if m.URL != "" && len([]rune(m.URL))+1 <= s.Limit/2 {
		tail = s.Break + m.URL
	}
	return s.text(m.Text, s.Limit-len([]rune(tail))) + tail
}

func (s Style) facts(facts []Fact) []string {
	lines := make([]string, len(facts))
	for i, f := range facts {
		lines[i] = s.text(f.Name, maxFact) + ": " + s.text(f.Value, maxFact)
	}
	return lines
}

func (s Style) link(url string) string {
	if s.Link == nil {
		return url
	}
	return s.Link("Open the ticket", url)
}

// text is a text in the style, in at most n characters; blank lines and control
// characters do not come through.
func (s Style) text(text string, n int) string {
	return clip.Escaped(Plain(text), n, s.Escape)
}

// Plain is a text in one line, without control characters and without those
// that turn the direction of what follows.
func Plain(text string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case r < ' ' || (r >= 0x7f && r < 0xa0) || (r >= '\u202a' && r <= '\u202e') || (r >= '\u2066' && r <= '\u2069') || r == '\ufeff':
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(clean), " ")
}

// Silent stands for an at sign so that no service takes what follows for a name
// to call: a character without width stands behind it.
const Silent = "@\u200b"

// Line is a text in the style, in one line of at most the style's limit.
func (s Style) Line(text string) string { return s.text(text, s.Limit) }
