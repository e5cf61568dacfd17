package smtp_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wneessen/go-mail"
	"go.uber.org/goleak"

	"tocsin/fake"
	"tocsin/fake/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o smtp.Options) *smtp.Server {
	t.Helper()
	s, err := smtp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// client is go-mail's client for the server, with TLS where the server has it.
func client(t *testing.T, s *smtp.Server, security smtp.Security, more ...mail.Option) *mail.Client {
	t.Helper()
	host, _, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	addr, err := net.ResolveTCPAddr("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	policy := mail.NoTLS
	if security == smtp.StartTLS {
		policy = mail.TLSMandatory
	}
	options := []mail.Option{
		mail.WithPort(addr.Port), mail.WithTLSPolicy(policy), mail.WithTimeout(10 * time.Second),
		mail.WithTLSConfig(&tls.Config{RootCAs: s.Roots(), ServerName: host, MinVersion: tls.VersionTLS12}),
	}
	if security == smtp.TLS {
		options = append(options, mail.WithSSL())
	}
	c, err := mail.NewClient(host, append(options, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func letter(t *testing.T, to ...string) *mail.Msg {
	t.Helper()
	m := mail.NewMsg()
	if err := errors.Join(m.From("tocsin@example.com"), m.To(to...)); err != nil {
		t.Fatal(err)
	}
	m.Subject("[T-42] High: fire")
	m.SetBodyString(mail.TypeTextPlain, "first line\n.a line with a dot\n")
	return m
}

func TestTakesMailOverEverySecurityAndMechanism(t *testing.T) {
	users := map[string]string{"tocsin": "open sesame"}
	for _, security := range []smtp.Security{smtp.Plain, smtp.StartTLS, smtp.TLS} {
		s := start(t, smtp.Options{Security: security, Users: users})
		for _, mechanism := range []mail.SMTPAuthType{
			mail.SMTPAuthPlain, mail.SMTPAuthLogin, mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthXOAUTH2,
		} {
			login := []mail.Option{mail.WithSMTPAuth(mechanism), mail.WithUsername("tocsin")}
			good := client(t, s, security, append(login, mail.WithPassword("open sesame"))...)
			before := len(s.Messages.All())
			if err := good.DialAndSendWithContext(t.Context(), letter(t, "a@example.com")); err != nil {
				t.Errorf("%q %s: %v", security, mechanism, err)
				continue
			}
			m := s.Messages.All()[before]
			if m.User != "tocsin" || m.TLS != (security != smtp.Plain) || m.Header.Get("Subject") != "[T-42] High: fire" {
				t.Errorf("%q %s: got %+v", security, mechanism, m)
			}
			bad := client(t, s, security, append(login, mail.WithPassword("guess"))...)
			var refusal *textproto.Error
			if err := bad.DialAndSendWithContext(t.Context(), letter(t, "a@example.com")); !errors.As(err, &refusal) || refusal.Code != 535 {
				t.Errorf("%q %s, wrong password: %v", security, mechanism, err)
			}
		}
	}
}

func TestRecordsEnvelopeAndBytes(t *testing.T) {
	s := start(t, smtp.Options{})
	if err := client(t, s, smtp.Plain).DialAndSendWithContext(t.Context(), letter(t, "a@example.com", "b@example.com")); err != nil {
		t.Fatal(err)
	}
	all, err := s.Messages.Wait(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	m := all[0]
	if m.From != "tocsin@example.com" || strings.Join(m.To, " ") != "a@example.com b@example.com" || m.User != "" || m.TLS {
		t.Errorf("envelope: %+v", m)
	}
	if !strings.Contains(string(m.Raw), "\r\n.a line with a dot\r\n") {
		t.Errorf("raw: %q", m.Raw)
	}
}

// What go-mail makes of each failure is known from measurements against three other servers; this one must look the same.
func TestFailuresLookAsTheyDoOnOtherServers(t *testing.T) {
	const a, b = "a@example.com", "b@example.com"
	for name, test := range map[string]struct {
		steps     []smtp.Step
		to        []string
		code      int
		temporary bool
		delivered bool
		taken     int
	}{
		"no such user":        {steps: []smtp.Step{{Phase: smtp.Rcpt, To: a, Code: 550, Enhanced: "5.1.1"}}, to: []string{a, b}, code: 550},
		"550 then 451":        {steps: []smtp.Step{{Phase: smtp.Rcpt, To: a, Code: 550}, {Phase: smtp.Rcpt, To: b, Code: 451, Enhanced: "4.7.1"}}, to: []string{a, b}, code: 451, temporary: true},
		"mailbox full":        {steps: []smtp.Step{{Phase: smtp.Rcpt, Code: 552, Enhanced: "5.2.2"}}, to: []string{a}, code: 552},
		"sender refused":      {steps: []smtp.Step{{Phase: smtp.Mail, Code: 553}}, to: []string{a}, code: 553},
		"no space":            {steps: []smtp.Step{{Phase: smtp.Data, Code: 452, Enhanced: "4.3.1"}}, to: []string{a}, code: 452, temporary: true},
		"spam":                {steps: []smtp.Step{{Phase: smtp.Data, Code: 554, Enhanced: "5.7.1"}}, to: []string{a}, code: 554},
		"lost in DATA":        {steps: []smtp.Step{{Phase: smtp.Data, Drop: true}}, to: []string{a}},
		"lost, but taken":     {steps: []smtp.Step{{Phase: smtp.Data, Apply: true, Drop: true}}, to: []string{a}, taken: 1},
		"lost after the 250":  {steps: []smtp.Step{{Phase: smtp.Data, DropAfter: true}}, to: []string{a}, delivered: true, taken: 1},
		"going down on RCPT":  {steps: []smtp.Step{{Phase: smtp.Rcpt, Code: 421, Enhanced: "4.3.2"}}, to: []string{a}, code: 421, temporary: true},
		"refused, but taken!": {steps: []smtp.Step{{Phase: smtp.Data, Apply: true, Code: 451}}, to: []string{a}, code: 451, temporary: true, taken: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, smtp.Options{})
			s.Play(test.steps...)
			m := letter(t, test.to...)
			var failure *mail.SendError
			if err := client(t, s, smtp.Plain).DialAndSendWithContext(t.Context(), m); !errors.As(err, &failure) {
				t.Fatalf("got %v", err)
			}
			if failure.ErrorCode() != test.code || failure.IsTemp() != test.temporary || m.IsDelivered() != test.delivered {
				t.Errorf("code %d, temporary %v, delivered %v: %v", failure.ErrorCode(), failure.IsTemp(), m.IsDelivered(), failure)
			}
			if n := len(s.Messages.All()); n != test.taken {
				t.Errorf("%d messages taken, want %d", n, test.taken)
			}
			s.Behave()
			if err := client(t, s, smtp.Plain).DialAndSendWithContext(t.Context(), letter(t, a)); err != nil {
				t.Errorf("when it behaves again: %v", err)
			}
		})
	}
}

func TestFailuresBeforeMail(t *testing.T) {
	users := map[string]string{"tocsin": "open sesame"}
	for name, test := range map[string]struct {
		security smtp.Security
		step     smtp.Step
		code     int
	}{
		"421 greeting":          {smtp.Plain, smtp.Step{Phase: smtp.Connect, Code: 421, Text: "too busy"}, 421},
		"421 greeting in TLS":   {smtp.TLS, smtp.Step{Phase: smtp.Connect, Code: 421}, 421},
		"no greeting":           {smtp.Plain, smtp.Step{Phase: smtp.Connect, Drop: true}, 0},
		"EHLO refused":          {smtp.Plain, smtp.Step{Phase: smtp.Hello, Code: 554, Times: -1}, 554},
		"lost in STARTTLS":      {smtp.StartTLS, smtp.Step{Phase: smtp.Handshake, Drop: true}, 0},
		"lost in TLS":           {smtp.TLS, smtp.Step{Phase: smtp.Handshake, Drop: true}, 0},
		"AUTH refused":          {smtp.StartTLS, smtp.Step{Phase: smtp.Auth, Code: 535, Enhanced: "5.7.8"}, 535},
		"AUTH out of order now": {smtp.TLS, smtp.Step{Phase: smtp.Auth, Code: 454, Enhanced: "4.7.0"}, 454},
		"421 on AUTH":           {smtp.StartTLS, smtp.Step{Phase: smtp.Auth, Code: 421}, 421},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, smtp.Options{Security: test.security, Users: users})
			s.Play(test.step)
			c := client(t, s, test.security, mail.WithSMTPAuth(mail.SMTPAuthPlain), mail.WithUsername("tocsin"), mail.WithPassword("open sesame"))
			err := c.DialAndSendWithContext(t.Context(), letter(t, "a@example.com"))
			var refusal *textproto.Error
			if err == nil || errors.As(err, &refusal) != (test.code != 0) || refusal != nil && refusal.Code != test.code {
				t.Errorf("got %v", err)
			}
			if n := len(s.Messages.All()); n != 0 {
				t.Errorf("%d messages taken", n)
			}
		})
	}
}

func TestStrangersAreKeptOut(t *testing.T) {
	s := start(t, smtp.Options{Security: smtp.StartTLS, Users: map[string]string{"tocsin": "open sesame"}})
	var failure *mail.SendError
	if err := client(t, s, smtp.StartTLS).DialAndSendWithContext(t.Context(), letter(t, "a@example.com")); !errors.As(err, &failure) || failure.ErrorCode() != 530 {
		t.Errorf("without a login: %v", err)
	}
	c := client(t, s, smtp.StartTLS, mail.WithTLSConfig(&tls.Config{ServerName: "127.0.0.1", RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}))
	var untrusted *tls.CertificateVerificationError
	if err := c.DialAndSendWithContext(t.Context(), letter(t, "a@example.com")); !errors.As(err, &untrusted) {
		t.Errorf("without the authority: %v", err)
	}
}

func TestSilenceAtEveryPhase(t *testing.T) {
	users := map[string]string{"tocsin": "open sesame"}
	for _, phase := range []smtp.Phase{smtp.Connect, smtp.Handshake, smtp.Hello, smtp.Auth, smtp.Mail, smtp.Rcpt, smtp.Data} {
		t.Run(string(phase), func(t *testing.T) {
			s := start(t, smtp.Options{Security: smtp.StartTLS, Users: users})
			ended := make(chan error, 1)
			sendIntoSilence := func() {
				before := count(s.Commands.All(), phase)
				s.Play(smtp.Step{Phase: phase, Hang: true})
				c, m := client(t, s, smtp.StartTLS, mail.WithSMTPAuth(mail.SMTPAuthPlain), mail.WithUsername("tocsin"), mail.WithPassword("open sesame")), letter(t, "a@example.com")
				go func() { ended <- c.DialAndSendWithContext(t.Context(), m) }()
				reached(t, s, phase, before+1)
			}
			sendIntoSilence()
			s.Release()
			if err := <-ended; err != nil {
				t.Errorf("after the release: %v", err)
			}
			sendIntoSilence()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := <-ended; err == nil {
				t.Error("the server closed in silence and the client saw no error")
			}
		})
	}
}

// reached waits until clients were at a phase n times.
func reached(t *testing.T, s *smtp.Server, phase smtp.Phase, n int) {
	t.Helper()
	for all := []smtp.Command(nil); count(all, phase) < n; {
		var err error
		if all, err = s.Commands.Wait(t.Context(), len(all)+1); err != nil {
			t.Fatal(err)
		}
	}
}

func count(all []smtp.Command, phase smtp.Phase) int {
	n := 0
	for _, c := range all {
		if c.Phase == phase {
			n++
		}
	}
	return n
}

func TestPipeRunsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := smtp.New(smtp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := fake.NewPipe()
		s.Serve(p)
		c, err := mail.NewClient("fake.invalid", mail.WithTLSPolicy(mail.NoTLS), mail.WithDialContextFunc(p.DialContext), mail.WithTimeout(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s.Play(smtp.Step{Phase: smtp.Rcpt, Hang: true})
		if err := c.DialAndSendWithContext(t.Context(), letter(t, "a@example.com")); err == nil || time.Since(began) < time.Hour {
			t.Errorf("silence for %v: %v", time.Since(began), err)
		}
		if err := c.DialAndSendWithContext(t.Context(), letter(t, "a@example.com")); err != nil || len(s.Messages.All()) != 1 {
			t.Errorf("the second message: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestScriptIsReadableJSON(t *testing.T) {
	const text = `{"phase": "rcpt", "to": "a@example.com", "times": -1, "code": 451, "enhanced": "4.7.1", "text": "greylisted", "dropAfter": true}`
	want := smtp.Step{Phase: smtp.Rcpt, To: "a@example.com", Times: -1, Code: 451, Enhanced: "4.7.1", Text: "greylisted", DropAfter: true}
	var got smtp.Step
	if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
		t.Errorf("got %+v %v", got, err)
	}
}
