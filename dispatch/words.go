package dispatch

import (
	"strings"
	"unicode"
)

// Words splits a text as the search does, in Go and in both databases: runs of
// letters and digits, lower-cased.
func Words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// TicketWords are the words by which a ticket is found: title, model and key.
func TicketWords(s TicketSubject) []string {
	return Words(s.Title + " " + s.BehaviorModel + " " + value(s.Key))
}

// AlertWords are the words by which an alert is found: summary, model, behavior,
// key and description.
func AlertWords(a Alert) []string {
	return Words(strings.Join([]string{a.Summary, a.BehaviorModel, value(a.Behavior), value(a.Key), value(a.Description)}, " "))
}

// MatchWords tells whether every word of the query begins one of the words. A
// query without a word matches everything.
func MatchWords(query string, words []string) bool {
	for _, q := range Words(query) {
		if !anyBegins(words, q) {
			return false
		}
	}
	return true
}

func anyBegins(words []string, prefix string) bool {
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			return true
		}
	}
	return false
}

// value is the text behind a pointer, "" for nil.
func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
