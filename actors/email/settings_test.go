package email

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake/smtp"
)

func TestSettings(t *testing.T) { exam.Settings(t, Kind()) }

// TestNotSetUp: the built-in actor exists before anybody has named a server. It
// opens for nobody, and what is missing is named with what to give.
func TestNotSetUp(t *testing.T) {
	_, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(`{}`), nil)
	var said []string
	for _, p := range problems {
		if p.Code != dispatch.CodeRequired {
			t.Errorf("%s, where a built-in actor may only lack something", p.Code)
		}
		said = append(said, p.Message)
	}
	got := strings.Join(said, " ")
	for _, words := range []string{"settings.host is missing", "such as smtp.example.com", "settings.from is missing"} {
		if !strings.Contains(got, words) {
			t.Errorf("%q does not say %q", got, words)
		}
	}
	if k := Kind(); !k.BuiltIn || k.NeedsActor() {
		t.Error("email is not built in")
	}
}

// TestAPIConfigAsksForRecipientsOnly: the type and an address are enough.
func TestAPIConfigAsksForRecipientsOnly(t *testing.T) {
	_, problems := dispatch.Fill(Kind().ConfigSettings, dispatch.Defaults(Kind().ConfigSettings), nil)
	if len(problems) != 1 || problems[0].Message != "settings.to is missing; Give the addresses of those who must hear of it, each on its own, such as soc@example.com." {
		t.Errorf("problems %v", problems)
	}
	s, p := relay(t)
	want(t, p.deliver(t.Context(), exam.Parcel(1), to(alice)), dispatch.OutcomeDelivered)
	if got := s.Messages.All()[0]; got.User != "tocsin" || !got.TLS || got.From != "tocsin@example.com" {
		t.Errorf("message of %s from %s, TLS %v", got.User, got.From, got.TLS)
	}
}

// TestRefusedSettings: what tags cannot say is refused by name.
func TestRefusedSettings(t *testing.T) {
	secret := map[string]dispatch.Secret{"password": password}
	for _, row := range []struct {
		settings, field string
		secrets         map[string]dispatch.Secret
	}{
		{`"host": "smtp.example.com:587"`, "settings.host", nil},
		{`"host": "https://mail.example.com"`, "settings.host", nil},
		{`"host": "a\r\nb"`, "settings.host", nil},
		{`"from": "nobody"`, "settings.from", nil},
		{`"from": "a@example.com, b@example.com"`, "settings.from", nil},
		{`"from": "a@example.com\r\nX-Evil: 1"`, "settings.from", nil},
		{`"replyTo": "@"`, "settings.replyTo", nil},
		{`"helo": "a b"`, "settings.helo", nil},
		{`"helo": "a\r\nRSET"`, "settings.helo", nil},
		{`"ca": "-----BEGIN NONSENSE-----"`, "settings.ca", nil},
		{`"username": "tocsin"`, "secrets.password", nil},
		{`"auth": "PLAIN"`, "settings.username", secret},
		{`"port": 587`, "settings.username", secret},
		{`"username": "a\u0001b"`, "settings.username", secret},
		{`"username": "a"`, "secrets.password", map[string]dispatch.Secret{"password": "line\nbreak"}},
		{`"username": "tocsin", "tls": "NONE"`, "settings.tls", secret},
	} {
		settings := `{"host": "smtp.example.com", "from": "tocsin@example.com", ` + row.settings + `}`
		filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(settings), row.secrets)
		if problems != nil {
			t.Errorf("%s: %v", row.settings, problems)
			continue
		}
		_, err := Kind().Open(filled, dispatch.World{})
		if err == nil || !strings.HasPrefix(err.Error(), row.field+" ") || strings.Contains(err.Error(), password) {
			t.Errorf("%s: error %v does not name %s", row.settings, err, row.field)
		}
	}
}

// TestOwnAuthority: a certificate of one's own is trusted when it is given.
func TestOwnAuthority(t *testing.T) {
	s := started(t, smtp.Options{Security: smtp.TLS})
	conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: s.Roots(), MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	ca, _ := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw})))
	_ = conn.Close()
	p := &play{t: t}
	host, port, _ := net.SplitHostPort(s.Addr())
	var d net.Dialer
	for given, kind := range map[string]dispatch.OutcomeKind{`""`: dispatch.OutcomeMisconfigured, string(ca): dispatch.OutcomeDelivered} {
		p.open(fmt.Sprintf(`{"host": %q, "port": %s, "tls": "IMPLICIT", "from": "tocsin@example.com", "ca": %s}`, host, port, given), nil, d.DialContext)
		out := p.deliver(t.Context(), exam.Parcel(1), to(alice))
		want(t, out, kind)
		if out.Err() != nil {
			want(t, out, kind, "settings.ca")
		}
	}
}
