// Package clip shortens texts to the limits of vendors, which count in
// characters; dispatch.Cut counts in bytes. It knows no vendor.
package clip

import (
	"strings"
	"unicode/utf8"
)

const note = "… [cut]"

// Characters is the text, valid UTF-8, in at most n characters; one that was
// longer ends in a note that says so. N is at least that of the note, seven.
func Characters(text string, n int) string {
	return Escaped(text, n, nil)
}

// Escaped is Characters of a text in which single characters are written as the
// replacements say; the limit holds for the result, and none is cut in two.
func Escaped(text string, n int, replacements map[rune]string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	var out strings.Builder
	used, room, fits := 0, n-utf8.RuneCountInString(note), 0 // fits is where the note could begin
	for _, r := range text {
		piece, replaced := replacements[r]
		if !replaced {
			piece = string(r)
		}
		used += utf8.RuneCountInString(piece)
		if used > n {
			return out.String()[:fits] + note
		}
		out.WriteString(piece)
		if used <= room {
			fits = out.Len()
		}
	}
	return out.String()
}
