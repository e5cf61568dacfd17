package dispatch

import "testing"

func TestHoldsNUL(t *testing.T) {
	for text, want := range map[string]bool{
		`{"a": "\u0000"}`:               true,
		`{"a": "x\\\u0000"}`:            true, // a backslash, then NUL
		`{"a": "https://x/\\u0000"}`:    false,
		`{"a": "\\\\u0000"}`:            false,
		`{"a": "C:\\users\\u0000\\n"}`:  false,
		`{"\u0000": 1}`:                 true,
		`{"a": "\u0001 \" \\"}`:         false,
		`{"a": "ends with a backslash\`: false,
	} {
		if got := holdsNUL(JSON(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
