package graph

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzReadJSON holds the strict reader to the standard library: what it takes
// is the same value there, what it refuses is refused for a reason of its own.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{
		typename, `{}`, ` {"a" : [1, 2.5e3, -0, "x", null, true, {}]} `, `{"a":1,"a":2}`, `{"a":{"b":1},"c":[{"b":1,"b":2}]}`,
		`[]`, `"x"`, `1`, ``, `{`, `{"a":}`, `{"a":1,}`, `{,}`, `[1 2]`, `{"a" 1}`, `{"a":[}]`, `{"a":01}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}",
		`{"a":12345678901234567890.50}`, `{} {}`, `{}]`, `{"\u0061":1,"a":2}`, strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101), "{\"a\":\"\x00\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readJSON(text)
		var want any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		valid := json.Valid(text) && d.Decode(&want) == nil
		if err != nil {
			object, isObject := want.(map[string]any)
			reason := err.Error()
			if valid && isObject && utf8.Valid(text) && !strings.Contains(reason, "twice") && !strings.Contains(reason, "deeper") && !strings.Contains(reason, "values") {
				t.Errorf("refused %q, which is %v: %v", text, object, err)
			}
			if strings.ContainsFunc(reason, func(r rune) bool { return r > '~' }) || len(reason) > 100 {
				t.Errorf("the reason holds what was sent: %q", reason)
			}
			return
		}
		if !valid || !cmp.Equal(any(got), want) {
			t.Errorf("read %q as %v, the library as %v (valid: %v)", text, got, want, valid)
		}
	})
}
