package clip_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/actors/internal/clip"
)

func TestCharacters(t *testing.T) {
	for _, row := range []struct {
		text string
		n    int
		want string
	}{
		{"", 10, ""},
		{"0123456789", 10, "0123456789"},
		{"0123456789x", 10, "012… [cut]"},
		{"äöüäöüäöüäö", 10, "äöü… [cut]"},
		{"a\xffb", 10, "a\uFFFDb"},
	} {
		if got := clip.Characters(row.text, row.n); got != row.want {
			t.Errorf("%q to %d: %q, want %q", row.text, row.n, got, row.want)
		}
	}
}

// TestEscaped: the limit holds after escaping, and no replacement is cut in two.
func TestEscaped(t *testing.T) {
	amp := map[rune]string{'&': "&amp;"}
	if got := clip.Escaped("a&b", 10, amp); got != "a&amp;b" {
		t.Errorf("%q", got)
	}
	for n := 7; n < 40; n++ {
		got := clip.Escaped(strings.Repeat("&", 50), n, amp)
		body, cut := strings.CutSuffix(got, "… [cut]")
		if !cut || utf8.RuneCountInString(got) > n || strings.Repeat("&amp;", len(body)/5) != body {
			t.Errorf("to %d: %q", n, got)
		}
	}
}
