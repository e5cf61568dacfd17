package email

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake/smtp"
)

var dated = regexp.MustCompile(`(?m)^Date: .*$`)

// golden compares a message with a file, which UPDATE_GOLDEN writes.
func golden(t *testing.T, file string, raw []byte) {
	t.Helper()
	got := dated.ReplaceAllString(strings.ReplaceAll(string(raw), "\r\n", "\n"), "Date: Sun, 22 Nov 2026 09:30:02 +0000")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// sent delivers one parcel and returns the message that the server took.
func sent(t *testing.T, parcel dispatch.Parcel, config string) (*play, smtp.Message, dispatch.Outcome) {
	t.Helper()
	s, p := relay(t)
	out := p.deliver(t.Context(), parcel, config)
	if want(t, out, dispatch.OutcomeDelivered); len(s.Messages.All()) == 0 {
		t.FailNow()
	}
	return p, s.Messages.All()[0], out
}

// TestMessage: the default message, byte for byte, and its record.
func TestMessage(t *testing.T) {
	p, got, out := sent(t, exam.Parcel(1), `{"to": ["Alice Ångström <alice@example.com>"], "cc": ["bob@example.com"], "bcc": ["carol@example.com"]}`)
	golden(t, "testdata/message.eml", got.Raw)
	if want := "<" + p.m.letter(&ConfigSettings{}, exam.Parcel(1)).id(&recipient{address: alice}) + ">"; got.Header.Get("Message-Id") != want {
		t.Errorf("Message-ID %s, want %s", got.Header.Get("Message-Id"), want)
	}
	if ref := out.Ref(); ref.ID != got.Header.Get("References") || ref.Loose {
		t.Errorf("ref %+v does not name the thread %s", ref, got.Header.Get("References"))
	}
	record := strings.ReplaceAll(string(out.Exchange().Request), p.m.server(), "smtp.example.com:587")
	exam.Golden(t, "testdata/record.json", []byte(record))
}

// TestBareMessage: an alert with the least in it, with neither ticket nor
// recipients to copy, and a critical one.
func TestBareMessage(t *testing.T) {
	full := exam.Parcel(1)
	bare := dispatch.Parcel{DeliveryID: full.DeliveryID, Attempt: 1, Alert: dispatch.Alert{
		ID: full.Alert.ID, BehaviorModel: full.Alert.BehaviorModel, Severity: dispatch.Critical, Summary: full.Alert.Summary,
		OccurredAt: full.Alert.OccurredAt, ReceivedAt: full.Alert.ReceivedAt,
	}}
	_, got, out := sent(t, bare, to(alice))
	golden(t, "testdata/message-bare.eml", got.Raw)
	if out.Ref().ID != got.Header.Get("Message-Id") {
		t.Errorf("ref %+v, want the message %s", out.Ref(), got.Header.Get("Message-Id"))
	}
}

// TestThread: all messages about one ticket answer to one id, whatever the
// delivery, and keep their subject; those about another do not.
func TestThread(t *testing.T) {
	s, p := relay(t)
	first, second, other := exam.Parcel(1), exam.Parcel(2), exam.Parcel(3)
	second.Ticket = first.Ticket
	second.Alert.Summary = "jdoe again, from Lima"
	for _, parcel := range []dispatch.Parcel{first, second, other} {
		want(t, p.deliver(t.Context(), parcel, to(alice)), dispatch.OutcomeDelivered)
	}
	all := s.Messages.All()
	header := func(i int, name string) string { return all[i].Header.Get(name) }
	if root := "<" + first.Ticket.ID + "@exam>"; header(0, "References") != root || header(1, "References") != root || header(1, "In-Reply-To") != root {
		t.Errorf("references %s, %s, want %s", header(0, "References"), header(1, "References"), root)
	}
	if header(0, "Subject") != header(1, "Subject") || header(0, "References") == header(2, "References") {
		t.Errorf("subjects %s, %s; another ticket %s", header(0, "Subject"), header(1, "Subject"), header(2, "References"))
	}
}

// parts are subject and bodies as a mail program shows them.
func parts(t *testing.T, m smtp.Message) (subject, text, html string) {
	t.Helper()
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Error(err)
	}
	whole, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind == "text/plain" {
		body, _ := io.ReadAll(quotedprintable.NewReader(whole.Body))
		return subject, string(body), ""
	}
	r := multipart.NewReader(whole.Body, params["boundary"])
	for i := 0; ; i++ {
		part, err := r.NextPart() // decodes quoted-printable
		if errors.Is(err, io.EOF) {
			if i != 2 {
				t.Errorf("%d parts", i)
			}
			return subject, text, html
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part)
		if err != nil {
			t.Error(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			html = string(body)
		} else {
			text = string(body)
		}
	}
}

// TestOwnWords: what the user wrote is what is sent; in his HTML an alert's
// texts are no tags.
func TestOwnWords(t *testing.T) {
	parcel := exam.Parcel(1)
	parcel.Alert.Summary = "Größe <b>1</b> & more 😀"
	_, m, _ := sent(t, parcel, `{"to": ["a@example.com"], "subject": "Alarm: {{.Alert.Summary}}", "text": "see {{.Ticket.URL}}"}`)
	subject, text, html := parts(t, m)
	if subject != "Alarm: Größe <b>1</b> & more 😀" || strings.TrimSpace(text) != "see "+parcel.TicketURL || html != "" {
		t.Errorf("%q, %q, %q", subject, text, html)
	}
	_, m, _ = sent(t, parcel, `{"to": ["a@example.com"], "html": "<h1>{{.Alert.Summary}}</h1>"}`)
	_, text, html = parts(t, m)
	if strings.TrimSpace(html) != "<h1>Größe &lt;b&gt;1&lt;/b&gt; &amp; more 😀</h1>" || !strings.Contains(text, "Risk score: 87") {
		t.Errorf("%q, %q", text, html)
	}
	parcel.Test = true
	_, m, _ = sent(t, parcel, `{"to": ["a@example.com"], "text": "mine"}`)
	subject, text, _ = parts(t, m)
	if !strings.HasPrefix(subject, "[Test] [T-1001] HIGH: ") || !strings.HasPrefix(text, testNote) || !strings.HasSuffix(strings.TrimSpace(text), "mine") {
		t.Errorf("%q, %q", subject, text)
	}
}

// TestHostileTexts: no text becomes a header, a tag or another message, or
// makes a line longer than mail allows.
func TestHostileTexts(t *testing.T) {
	for name, text := range map[string]string{
		"lines":    "one\r\nX-Evil: 1\r\nBcc: eve@example.com\r\n\r\n.\r\nMAIL FROM:<eve@example.com>",
		"dots":     ".\r\n..\r\n.\nQUIT\n.",
		"html":     `<script>alert(1)</script><img src=x onerror=alert(1)>&amp;"'`,
		"encoded":  "=?utf-8?q?=0D=0AX-Evil:_1?= =0D=0AX-Evil: 1",
		"boundary": "--tocsin-0123456789abcdef0123456789abcdef\r\nContent-Type: text/html\r\n\r\n<b>evil</b>",
		"unicode":  "\u202e\ufeff\u2028 😀 ü \xff\xfe\x00\x01\x7f",
		"long":     strings.Repeat("𝕏", 30_000),
		"huge":     strings.Repeat("a\r\nX-Evil: 1\r\n<b>", 10<<20/17),
	} {
		t.Run(name, func(t *testing.T) {
			parcel := exam.Parcel(1)
			a := &parcel.Alert
			a.Description = &text
			text := text[:min(len(text), 100_000)]
			a.Summary, a.BehaviorModel, parcel.Ticket.Title = text, text, text
			a.Key, a.KeyType, a.Behavior, a.Source = &text, &text, &text, &text
			a.Risks = []string{text, "", text}
			s, p := relay(t)
			want(t, p.deliver(t.Context(), parcel, to(alice)), dispatch.OutcomeDelivered)
			parcel.DeliveryID += "-own"
			want(t, p.deliver(t.Context(), parcel, `{"to": ["alice@example.com"], "subject": "{{.Alert.Summary}}", "text": "{{.Alert.Description}}", "html": "<p>{{.Alert.Key}}</p>"}`), dispatch.OutcomeDelivered)
			if n := len(s.Messages.All()); n != 2 {
				t.Errorf("%d messages, want 2", n)
			}
			for _, m := range s.Messages.All() {
				whole(t, m)
			}
		})
	}
}

// whole fails unless a message is one message with our headers and bounded.
func whole(t *testing.T, m smtp.Message) {
	t.Helper()
	if m.Header.Get("X-Evil") != "" || m.Header.Get("Bcc") != "" || len(m.Header["Subject"]) != 1 {
		t.Errorf("headers %v", m.Header)
	}
	for line := range bytes.SplitSeq(m.Raw, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
			t.Errorf("line of %d bytes: %.80q", len(line), line)
		}
	}
	subject, text, html := parts(t, m)
	if utf8.RuneCountInString(subject) > maxSubject || strings.ContainsAny(subject, "\r\n") {
		t.Errorf("subject %.300q", subject)
	}
	if text == "" || html == "" || len(m.Raw) > 3<<20 {
		t.Errorf("text of %d, HTML of %d bytes in %d", len(text), len(html), len(m.Raw))
	}
	if tag := regexp.MustCompile(`<(script|img|b)\b`).FindString(html); tag != "" {
		t.Errorf("the text became the tag %s", tag)
	}
}

// TestHostileAddresses: an address that hides a header is no address, and a
// name that does is encoded.
func TestHostileAddresses(t *testing.T) {
	s, p := relay(t)
	out := p.deliver(t.Context(), exam.Parcel(1), to(
		"alice@example.com\r\nX-Evil: 1", "alice@example.com> RCPT TO:<eve@example.com", "a@example.com, b@example.com",
		"=?utf-8?q?a=0D=0AX-Evil=3A_1?= <alice@example.com>"))
	want(t, out, dispatch.OutcomeDelivered)
	all := s.Messages.All()
	if len(all) != 1 || all[0].To[0] != alice {
		t.Fatalf("got %v", mailed(s))
	}
	if all[0].Header.Get("X-Evil") != "" || strings.Contains(string(all[0].Raw), "\nX-Evil") {
		t.Errorf("headers %v", all[0].Header)
	}
	want(t, p.deliver(t.Context(), exam.Parcel(2), to("jürgen@example.com")), dispatch.OutcomeRefused, "SMTPUTF8")
}
