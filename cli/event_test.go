package cli

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHumanLine: a line says when, which ticket, what, who and why, whatever
// characters are in it.
func TestHumanLine(t *testing.T) {
	const head = `{"cursor":"c","at":"2026-03-14T09:26:53Z","by":{"name":"alice"},"ticket":{"number":42,"title":"Sign-in"},`
	const line = "2026-03-14T09:26:53Z  T-42  "
	for text, want := range map[string]string{
		head + `"kind":"OPENED","severity":"HIGH"}`:                                                 line + "OPENED            HIGH by alice: Sign-in",
		head + `"kind":"ALERT_JOINED","alert":{"summary":"Again"}}`:                                 line + "ALERT_JOINED      “Again” by alice: Sign-in",
		head + `"kind":"ALERT_JOINED","alert":null}`:                                                line + "ALERT_JOINED      by alice: Sign-in",
		head + `"kind":"STATUS_CHANGED","statusBefore":"OPEN","status":"CLOSED","text":"no\nharm"}`: line + "STATUS_CHANGED    OPEN → CLOSED by alice: Sign-in (no harm)",
		head + `"kind":"SEVERITY_CHANGED","severityBefore":"LOW","severity":"HIGH"}`:                line + "SEVERITY_CHANGED  LOW → HIGH by alice: Sign-in",
		head + `"kind":"ASSIGNED","assignee":"bob"}`:                                                line + "ASSIGNED          to bob by alice: Sign-in",
		head + `"kind":"ASSIGNED","assignee":null}`:                                                 line + "ASSIGNED          to nobody by alice: Sign-in",
		head + `"kind":"COMMENTED","text":"\u001b]0;owned\u0007\u202e"}`:                            line + "COMMENTED         by alice: Sign-in ( ]0;owned  )",
		head + `"kind":"LINKED","link":{"actorName":"PagerDuty","externalId":"Q1"}}`:                line + "LINKED            PagerDuty Q1 by alice: Sign-in",
		head + `"kind":"OF_TOMORROW","statusBefore":null}`:                                          line + "OF_TOMORROW       by alice: Sign-in",
	} {
		var e event
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if got := humanLine(e); got != want {
			t.Errorf("%s\nis %q\nwant %q", text, got, want)
		}
	}
}

// TestJSONLine: the line holds all that the server told, is one line, and has
// no character that a terminal obeys.
func TestJSONLine(t *testing.T) {
	text := "{ \"cursor\": \"c\",\n \"text\": \"a\u202eb\u0085\U000E0001\u007f é→ \\u001b[2J\", \"flow\": 1676750115612680123, \"none\": null }"
	var e event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	got := jsonLine(e)
	if got != plain(got) {
		t.Errorf("%q is not safe to print", got)
	}
	if diff := cmp.Diff(decode(t, []byte(text)), decode(t, []byte(got))); diff != "" {
		t.Errorf("the line says something else (-told +printed):\n%s", diff)
	}
}
