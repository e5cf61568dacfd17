package preset

import (
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
)

// TestCut: the text is what is cut, visibly; facts and the ticket's address stay.
func TestCut(t *testing.T) {
	m := Of(strings.Repeat("a<", 5000), exam.Parcel(1))
	text := m.Write(Style{Limit: 700, Strong: "**", Escape: map[rune]string{'<': "&lt;"}})
	if n := utf8.RuneCountInString(text); n > 700 || n < 600 {
		t.Errorf("%d characters", n)
	}
	for _, part := range []string{"… [cut]**\n", "Ticket: T-1001, OPEN", "\nhttps://tocsin.example.com/tickets/1001"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in %s", part, text)
		}
	}
	if strings.Contains(strings.ReplaceAll(text, "&lt;", ""), "&") {
		t.Errorf("an escape was cut in two: %s", text)
	}
}

// TestShort: where the facts leave no room, the text is sent alone, with the
// ticket's address where that fits.
func TestShort(t *testing.T) {
	m := Of("the disk is full", exam.Parcel(1))
	if got := m.Write(Style{Limit: 120}); got != "the disk is full\nhttps://tocsin.example.com/tickets/1001" {
		t.Errorf("got %q", got)
	}
	if got := m.Write(Style{Limit: 40}); got != "the disk is full" {
		t.Errorf("got %q", got)
	}
}

// TestWithoutTicket: nothing is said of what is not there, and a test says that
// it is one.
func TestWithoutTicket(t *testing.T) {
	p := dispatch.Parcel{Alert: dispatch.Alert{BehaviorModel: "Disk", Severity: dispatch.Low}, Test: true}
	if got := Of("full", p).Write(Style{Limit: 500}); got != "This is a test of Tocsin. full\nSeverity: LOW\nBehavior model: Disk" {
		t.Errorf("got %q", got)
	}
	p.Test = false
	if got := Of(" \u0000\u202e ", p).Write(Style{Limit: 500}); !strings.HasPrefix(got, "LOW: Disk\n") {
		t.Errorf("an empty text gives %q", got)
	}
}

// TestPlain: one line, and nothing that a reader cannot see.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"a\r\nb\tc\u2028d":          "a b c d",
		"x\u202egnp.exe\u2066y":     "xgnp.exey",
		"\x00\x1b[31mred\ufeff\x7f": "[31mred",
		"\xff":                      "\uFFFD",
		"  ":                        "",
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}
