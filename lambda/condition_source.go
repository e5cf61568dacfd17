package lambda

import (
	"slices"
	"strings"
)

// token is a word, a literal or a sign of a condition's source.
type token struct{ from, to int }

// scanner finds the tokens of a source that CEL's parser has accepted; blanks
// and comments are none.
type scanner struct {
	source string
	at     int
}

func scan(source string) []token {
	s := scanner{source: source}
	var out []token
	for s.at < len(source) {
		from := s.at
		if s.next() {
			out = append(out, token{from, s.at})
		}
	}
	return out
}

// next moves behind the next token, or blank, and tells whether it was a token.
func (s *scanner) next() bool {
	rest := s.source[s.at:]
	switch c := rest[0]; {
	case strings.ContainsRune(" \t\r\n\f", rune(c)):
		s.at++
		return false
	case strings.HasPrefix(rest, "//"):
		s.at += len(upTo(rest, "\n"))
		return false
	case c == '"' || c == '\'':
		s.quoted(false)
	case c == '`':
		s.at += 1 + len(upTo(rest[1:], "`"))
	case wordly(c):
		s.word()
	case slices.Contains(longSigns, rest[:min(2, len(rest))]):
		s.at += 2
	default:
		s.at++
	}
	return true
}

// longSigns are the signs of two characters.
var longSigns = []string{"&&", "||", "==", "!=", "<=", ">="}

// upTo is the text up to the mark, with it, or all of it.
func upTo(text, mark string) string {
	if i := strings.Index(text, mark); i >= 0 {
		return text[:i+len(mark)]
	}
	return text
}

func wordly(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// word moves behind a name or a number, or behind a text with a prefix, as r"\d".
func (s *scanner) word() {
	from := s.at
	for s.at < len(s.source) && wordly(s.source[s.at]) {
		s.at++
	}
	prefix := strings.ToLower(s.source[from:s.at])
	if s.at < len(s.source) && strings.ContainsRune(`"'`, rune(s.source[s.at])) && strings.Trim(prefix, "rb") == "" {
		s.quoted(strings.Contains(prefix, "r"))
	}
}

// quoted moves behind a text in quotes, of which a backslash hides the next
// unless the text is raw.
func (s *scanner) quoted(raw bool) {
	quote := s.source[s.at : s.at+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.source[s.at:], triple) {
		quote = triple
	}
	s.at += len(quote)
	for s.at < len(s.source) {
		switch {
		case strings.HasPrefix(s.source[s.at:], quote):
			s.at += len(quote)
			return
		case s.source[s.at] == '\\' && !raw:
			s.at += 2
		default:
			s.at++
		}
	}
	s.at = len(s.source)
}

// written splits a source along and, or, not and ?: into the parts that these
// join, in their order, as the author wrote them without the brackets around.
func written(source string) []string {
	w := writing{source, scan(source)}
	var out []string
	for _, part := range w.parts(0, len(w.tokens)) {
		out = append(out, source[w.tokens[part[0]].from:w.tokens[part[1]-1].to])
	}
	return out
}

type writing struct {
	source string
	tokens []token
}

func (w writing) token(i int) string { return w.source[w.tokens[i].from:w.tokens[i].to] }

// parts gives the first token of each part and the one behind its last.
func (w writing) parts(from, to int) [][2]int {
	for from < to && w.token(from) == "(" && w.closing(from, to) == to-1 {
		from, to = from+1, to-1
	}
	if from >= to {
		return nil
	}
	if at := w.ternary(from, to); at != nil {
		return w.split(from, to, at)
	}
	for _, sign := range []string{"||", "&&"} {
		if at := w.outside(from, to, sign); at != nil {
			return w.split(from, to, at)
		}
	}
	if w.token(from) == "!" && w.outside(from, to, "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%") == nil {
		for from < to-1 && w.token(from) == "!" {
			from++
		}
		return w.parts(from, to)
	}
	return [][2]int{{from, to}}
}

func (w writing) split(from, to int, at []int) (out [][2]int) {
	for _, end := range append(at, to) {
		out = append(out, w.parts(from, end)...)
		from = end + 1
	}
	return out
}

// ternary finds the signs of an outermost ?:, whose middle has none of its own
// outside of brackets. A question mark behind a dot is an optional selection.
func (w writing) ternary(from, to int) []int {
	for _, i := range w.outside(from, to, "?") {
		if i > from && w.token(i-1) == "." {
			continue
		}
		if colons := w.outside(i, to, ":"); colons != nil {
			return []int{i, colons[0]}
		}
	}
	return nil
}

// outside finds the signs that stand outside of all brackets.
func (w writing) outside(from, to int, signs ...string) (out []int) {
	depth := 0
	for i := from; i < to; i++ {
		switch word := w.token(i); word {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		default:
			for _, sign := range signs {
				if depth == 0 && word == sign {
					out = append(out, i)
				}
			}
		}
	}
	return out
}

// closing finds the bracket that closes the one at from.
func (w writing) closing(from, to int) int {
	depth := 0
	for i := from; i < to; i++ {
		switch w.token(i) {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		}
		if depth == 0 {
			return i
		}
	}
	return to
}
