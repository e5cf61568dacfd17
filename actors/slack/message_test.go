package slack

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	workspace "tocsin/fake/slack"
)

// TestGolden compares the fields of the form that Slack gets.
func TestGolden(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	out := m.Deliver(t.Context(), config(exam.Parcel(1), "#alerts"))
	if out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	golden(t, "testdata/request.json", w, 0)
	posted := w.Messages()[0]
	ref := out.Ref()
	if ref.ID != "C0ALERTS1:"+posted.TS || ref.Data["channel"] != "C0ALERTS1" || ref.Data["ts"] != posted.TS {
		t.Errorf("ref %+v, posted at %s", ref, posted.TS)
	}
	bare := exam.Parcel(2)
	bare.Ticket, bare.TicketURL, bare.Test = nil, "", true
	bare.Alert = dispatch.Alert{BehaviorModel: "Impossible travel", Severity: dispatch.Low, Summary: "bare"}
	w = acme(nil)
	if out := opened(t, w).Deliver(t.Context(), config(bare, "C0ALERTS1")); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	golden(t, "testdata/request-bare.json", w, 0)
}

// golden compares the fields of the n-th request.
func golden(t *testing.T, file string, w *workspace.Workspace, n int) {
	t.Helper()
	form, err := url.ParseQuery(string(w.Requests.All()[n].Body))
	if err != nil {
		t.Fatal(err)
	}
	form.Del("ts") // another one each time
	fields := map[string]any{}
	for name, values := range form {
		fields[name] = values[0]
		if json.Valid([]byte(values[0])) {
			fields[name] = json.RawMessage(values[0])
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	exam.Golden(t, file, text)
}

// TestEscaped: nobody is mentioned by what an attacker typed, and what is cut
// says so and stays within what chat.update takes.
func TestEscaped(t *testing.T) {
	p := exam.Parcel(1)
	evil := strings.Repeat("<!channel> & ", 2_000)
	evilLink := "https://x.example/a|b><!here>"
	p.Alert.Summary, p.Alert.Description, p.Alert.Key, p.Alert.Link, p.Ticket.Title = evil, &evil, &evil, &evilLink, evil
	w := acme(nil)
	out := opened(t, w).Deliver(t.Context(), config(p, "#alerts"))
	if out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	posted := w.Messages()[0]
	all := posted.Text + string(posted.Attachments[0])
	for _, mention := range []string{"<!channel>", "<!here>", `\u003c!channel`, `\u003c!here`} {
		if strings.Contains(all, mention) {
			t.Errorf("%s is mentioned", mention)
		}
	}
	if n := utf8.RuneCountInString(posted.Text); n > maxText || !strings.HasSuffix(posted.Text, "[cut]") {
		t.Errorf("text of %d characters ends in %q", n, posted.Text[len(posted.Text)-20:])
	}
}

// TestLink: an address that would break out of a link, or is none, is left out.
func TestLink(t *testing.T) {
	for address, want := range map[string]string{
		"https://x.example/a?b=1&c=2":             "<https://x.example/a?b=1&amp;c=2|name>",
		"https://x.example/a|b><!here> c":         "<https://x.example/a%7Cb%3E%3C!here%3E%20c|name>",
		"javascript:alert(1)":                     "name",
		"https://x.example/\n<!here>":             "name",
		"https://" + strings.Repeat("x", maxLink): "name",
		"": "name",
	} {
		if got := link(address, "name"); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
