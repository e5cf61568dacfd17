package email

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake/smtp"
)

// inPEM is a key as an operator pastes it.
func inPEM(t *testing.T, key any) dispatch.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return dispatch.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// keys are one of each sort that DKIM knows.
func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, short, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"rsa-sha256": long, "ed25519-sha256": short}
}

var spaces = regexp.MustCompile(`[ \t\r\n]+`)

// relaxed is a header as it is signed (RFC 6376, 3.4.2).
func relaxed(line string) string {
	name, value, _ := strings.Cut(line, ":")
	return strings.ToLower(strings.TrimSpace(name)) + ":" + strings.TrimSpace(spaces.ReplaceAllString(value, " "))
}

// headers are a message's header lines, folded as they came, and its body.
func headers(raw []byte) ([]string, string) {
	head, body, _ := strings.Cut(string(raw), "\r\n\r\n")
	return strings.Split(regexp.MustCompile(`\r\n([^ \t])`).ReplaceAllString(head, "\x00$1"), "\x00"), body
}

// verified reads a message's signature as a receiver does, and returns its tags.
func verified(t *testing.T, raw []byte, public crypto.PublicKey) map[string]string {
	t.Helper()
	lines, body := headers(raw)
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "DKIM-Signature:") })
	if at < 0 {
		t.Fatal("the message is not signed")
	}
	tags := map[string]string{}
	for tag := range strings.SplitSeq(strings.TrimPrefix(lines[at], "DKIM-Signature:"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(tag), "=")
		tags[name] = spaces.ReplaceAllString(value, "")
	}
	var signed strings.Builder
	for name := range strings.SplitSeq(tags["h"], ":") {
		for _, line := range slices.Backward(lines) {
			if strings.HasPrefix(strings.ToLower(line), strings.ToLower(name)+":") {
				signed.WriteString(relaxed(line) + "\r\n")
				break
			}
		}
	}
	signed.WriteString(regexp.MustCompile(`b=[^;=]+=*$`).ReplaceAllString(relaxed(lines[at]), "b="))
	var rows []string
	for row := range strings.SplitSeq(strings.TrimRight(body, "\r\n"), "\r\n") {
		rows = append(rows, strings.TrimRight(regexp.MustCompile(`[ \t]+`).ReplaceAllString(row, " "), " "))
	}
	if hash := sha256.Sum256([]byte(strings.Join(rows, "\r\n") + "\r\n")); base64.StdEncoding.EncodeToString(hash[:]) != tags["bh"] {
		t.Errorf("the body's hash is not %s", tags["bh"])
	}
	if err := check(signed.String(), tags["b"], public); err != nil {
		t.Errorf("the signature does not hold: %v", err)
	}
	return tags
}

func check(signed, signature string, public crypto.PublicKey) error {
	proof, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(signed))
	switch key := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], proof)
	case ed25519.PublicKey:
		return ed25519.VerifyWithOptions(key, hash[:], proof, &ed25519.Options{})
	default:
		return fmt.Errorf("key of type %T", public)
	}
}

// TestSigned: a receiver finds the signature good, for each sort of key; what
// makes the thread is signed, and the key shows nowhere.
func TestSigned(t *testing.T) {
	for algorithm, key := range keys(t) {
		t.Run(algorithm, func(t *testing.T) {
			s, p, secret := signing(t, key, "")
			parcel := exam.Parcel(1)
			parcel.Ticket.Title = "Größe  und\tmehr " + strings.Repeat("long ", 60)
			out := p.deliver(t.Context(), parcel, `{"to": ["`+alice+`"], "cc": ["`+bob+`"]}`)
			want(t, out, dispatch.OutcomeDelivered)
			for _, m := range s.Messages.All() {
				tags := verified(t, m.Raw, key.Public())
				if tags["a"] != algorithm || tags["d"] != "example.com" || tags["s"] != "tocsin" {
					t.Errorf("tags %v", tags)
				}
				for _, name := range []string{"From", "Cc", "Subject", "Message-ID", "References", "Content-Type"} {
					if !slices.Contains(strings.Split(tags["h"], ":"), name) {
						t.Errorf("%s is not signed: %s", name, tags["h"])
					}
				}
			}
			if said := fmt.Sprintf("%+v %s %s", out, out.Exchange().Request, p.logs.String()); strings.Contains(said, string(secret)) || strings.Contains(said, "PRIVATE") {
				t.Error("the key shows")
			}
		})
	}
}

// signing is a messenger with a key.
func signing(t *testing.T, key any, more string) (*smtp.Server, *play, dispatch.Secret) {
	t.Helper()
	s, secret := started(t, smtp.Options{}), inPEM(t, key)
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	p := &play{t: t}
	var d net.Dialer
	p.open(fmt.Sprintf(`{"host": %q, "port": %s, "tls": "NONE", "from": "tocsin@example.com", "dkimSelector": "tocsin"%s}`, host, port, more),
		map[string]dispatch.Secret{"dkimKey": secret}, d.DialContext)
	return s, p, secret
}

// TestSignedForAnotherDomain: the domain is the user's choice, a long one, too.
func TestSignedForAnotherDomain(t *testing.T) {
	key := keys(t)["ed25519-sha256"]
	domain := strings.Repeat("mail-", 11) + "xxx.example.org" // as long as may be
	s, p, _ := signing(t, key, `, "dkimDomain": "`+domain+`"`)
	want(t, p.deliver(t.Context(), exam.Parcel(1), to(alice)), dispatch.OutcomeDelivered)
	if tags := verified(t, s.Messages.All()[0].Raw, key.Public()); tags["d"] != domain {
		t.Errorf("tags %v", tags)
	}
}

// TestUnsigned: without a key no message bears a signature.
func TestUnsigned(t *testing.T) {
	_, m, _ := sent(t, exam.Parcel(1), to(alice))
	if bytes.Contains(m.Raw, []byte("DKIM")) {
		t.Errorf("headers %v", m.Header)
	}
}

// TestRefusedSeals: what cannot be signed with is refused by name.
func TestRefusedSeals(t *testing.T) {
	good := inPEM(t, keys(t)["ed25519-sha256"])
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		settings string
		key      dispatch.Secret
		field    string
	}{
		{`"dkimSelector": "tocsin"`, "", "secrets.dkimKey"},
		{`"dkimDomain": "example.com"`, "", "secrets.dkimKey"},
		{`"port": 587`, good, "settings.dkimSelector"},
		{`"dkimSelector": "a; d=evil.example"`, good, "settings.dkimSelector"},
		{`"dkimSelector": "a", "from": "a@` + strings.Repeat("long-", 12) + `x.example.com"`, good, "settings.dkimDomain"},
		{`"dkimSelector": "a", "dkimDomain": "example"`, good, "settings.dkimDomain"},
		{`"dkimSelector": "a", "dkimDomain": "example.com\r\nX-Evil: 1"`, good, "settings.dkimDomain"},
		{`"dkimSelector": "a"`, "no key at all", "secrets.dkimKey"},
		{`"dkimSelector": "a"`, inPEM(t, curve), "secrets.dkimKey"},
	} {
		filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(`{"host": "smtp.example.com", "from": "tocsin@example.com", `+row.settings+`}`), map[string]dispatch.Secret{"dkimKey": row.key})
		if problems != nil {
			t.Errorf("%s: %v", row.settings, problems)
			continue
		}
		_, err := Kind().Open(filled, dispatch.World{})
		if err == nil || !strings.HasPrefix(err.Error(), row.field+" ") || row.key != "" && strings.Contains(err.Error(), string(row.key)) {
			t.Errorf("%s: error %v does not name %s", row.settings, err, row.field)
		}
	}
}
