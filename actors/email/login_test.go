package email

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
)

// TestEcho: a server that repeats all it got, decoded or not, puts no password
// into the record.
func TestEcho(t *testing.T) {
	for _, auth := range []string{"PLAIN", "LOGIN", "XOAUTH2", "SCRAM-SHA-256"} {
		var heard []string
		p := puppet(t, func(line string) string {
			heard = append(heard, line)
			switch {
			case strings.HasPrefix(line, "EHLO"):
				return "250-hello\r\n250 AUTH PLAIN LOGIN XOAUTH2 SCRAM-SHA-256"
			case strings.HasPrefix(line, "AUTH LOGIN"), strings.HasPrefix(line, "AUTH SCRAM") || len(heard) == 4 && auth == "LOGIN":
				return "334 "
			case len(heard) < 3:
				return polite(line)
			}
			words := strings.Fields(line)
			decoded, _ := base64.StdEncoding.DecodeString(words[len(words)-1])
			return fmt.Sprintf("535 5.7.8 no: %q %q", strings.Join(heard, " "), decoded)
		})
		p.m.s.Auth = auth
		want(t, p.deliver(t.Context(), exam.Parcel(1), to(alice)), dispatch.OutcomeMisconfigured, "535")
	}
}

// TestLyingSCRAM: a server that asks for hours of work, or that lets us in
// without knowing the password, is not believed.
func TestLyingSCRAM(t *testing.T) {
	for _, row := range []struct {
		says      string
		challenge func(nonce string) string
	}{
		{"too many rounds", func(nonce string) string { return "r=" + nonce + "x,s=c2FsdA==,i=2000000000" }},
		{"too many rounds", func(nonce string) string { return "r=" + nonce + "x,s=c2FsdA==,i=-1" }},
		{"answers SCRAM wrongly", func(string) string { return "r=mine,s=c2FsdA==,i=4096" }},
		{"answers SCRAM wrongly", func(string) string { return "v=bm90IGl0" }},
		{"did not prove", nil},
	} {
		p := puppet(t, func(line string) string {
			decoded, _ := base64.StdEncoding.DecodeString(line)
			_, nonce, found := strings.Cut(string(decoded), ",r=")
			switch {
			case strings.HasPrefix(line, "AUTH"):
				return "334 "
			case found && row.challenge != nil:
				return "334 " + base64.StdEncoding.EncodeToString([]byte(row.challenge(nonce)))
			case found:
				return "235 welcome"
			case line == "*":
				return "501 aborted"
			}
			return polite(line)
		})
		p.m.s.Auth = "SCRAM-SHA-256"
		want(t, p.m.Test(t.Context()), dispatch.OutcomeMisconfigured, row.says)
	}
}
