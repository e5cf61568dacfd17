package email

import (
	"bufio"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	"tocsin/fake/smtp"
)

// TestSilence: a server that falls silent, wherever it does, holds nobody
// beyond the time given; only after the message's last line is it open whether
// it was taken.
func TestSilence(t *testing.T) {
	for _, phase := range []smtp.Phase{smtp.Connect, smtp.Handshake, smtp.Hello, smtp.Auth, smtp.Mail, smtp.Rcpt, smtp.Data} {
		for mode, security := range map[string]smtp.Security{startTLS: smtp.StartTLS, implicitTLS: smtp.TLS} {
			t.Run(string(phase)+" "+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, p := piped(t, security, mode)
					s.Play(smtp.Step{Phase: phase, Hang: true})
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					defer cancel()
					began := time.Now()
					out := p.deliver(ctx, exam.Parcel(1), to(alice, bob))
					if spent := time.Since(began); spent != 20*time.Second {
						t.Errorf("it took %v", spent)
					}
					kind := dispatch.OutcomeDeferred
					if phase == smtp.Data {
						kind = dispatch.OutcomeUncertain
					}
					want(t, out, kind, "time given")
					want(t, p.deliver(t.Context(), exam.Parcel(1), to(alice, bob)), dispatch.OutcomeDelivered)
				})
			})
		}
	}
}

// piped is a server without a socket, for a bubble.
func piped(t *testing.T, security smtp.Security, mode string) (*smtp.Server, *play) {
	t.Helper()
	o, login := smtp.Options{Security: security, Users: users}, loggedIn
	var secrets map[string]dispatch.Secret
	if security == smtp.Plain {
		o.Users, login = nil, ""
	} else {
		secrets = map[string]dispatch.Secret{"password": password}
	}
	s, err := smtp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	pipe := fake.NewPipe()
	s.Serve(pipe)
	t.Cleanup(func() { _ = s.Close() })
	p := &play{t: t}
	p.open(`{"host": "fake.invalid", "tls": "`+mode+`", "from": "tocsin@example.com"`+login+`}`, secrets, pipe.DialContext)
	p.m.roots = s.Roots()
	return s, p
}

// TestEndedBefore: with no time left nothing is sent.
func TestEndedBefore(t *testing.T) {
	s, p := relay(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, p.deliver(ctx, exam.Parcel(1), to(alice)), dispatch.OutcomeDeferred)
	if n := len(s.Messages.All()); n > 0 {
		t.Errorf("%d messages", n)
	}
}

// TestTimeRunsOut: with little time left no further message is begun, and the
// next attempt goes on with the rest at once.
func TestTimeRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := piped(t, smtp.StartTLS, startTLS)
		ctx, cancel := context.WithTimeout(t.Context(), room)
		defer cancel()
		out := p.deliver(ctx, exam.Parcel(1), to(alice, bob, carol))
		want(t, out, dispatch.OutcomeDeferred, "1 of 3 recipients have it", bob+", "+carol+": the time given ended")
		if out.Wait() != time.Second || len(s.Messages.All()) != 1 {
			t.Errorf("waits %v after %v", out.Wait(), mailed(s))
		}
	})
}

// puppet is a mail server that a test plays by hand: it answers each line of
// the client, the first one being "", with what answer says, or falls silent,
// reading nothing more. "" ends the connection.
func puppet(t *testing.T, answer func(line string) string) *play {
	t.Helper()
	var serving sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); serving.Wait() })
	p := &play{t: t}
	p.open(`{"host": "localhost", "tls": "NONE", "from": "tocsin@example.com", "username": "tocsin"}`,
		map[string]dispatch.Secret{"password": password},
		func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			serving.Go(func() { perform(ctx, far, answer) })
			return near, nil
		})
	return p
}

// silence is an answer that never comes.
const silence = "\x00"

func perform(ctx context.Context, conn net.Conn, answer func(line string) string) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	lines := bufio.NewScanner(conn)
	for line := ""; ; line = lines.Text() {
		said := answer(line)
		if said == silence {
			<-ctx.Done()
			return
		}
		if said == "" {
			return
		}
		if _, err := conn.Write([]byte(said + "\r\n")); err != nil || !lines.Scan() {
			return
		}
	}
}

// polite answers everything but the message well, in clear text.
func polite(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "":
		return "220 hello"
	case "EHLO":
		return "250-hello\r\n250 AUTH PLAIN SCRAM-SHA-256"
	case "AUTH":
		return "235 welcome"
	case "DATA":
		return "354 go on"
	case "QUIT":
		return "221 bye"
	default:
		return "250 fine"
	}
}

// TestSilenceAfterAll: an answer to QUIT that does not come costs a second.
func TestSilenceAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := puppet(t, func(line string) string {
			if strings.HasPrefix(line, "QUIT") {
				return silence
			}
			return polite(line)
		})
		p.m.s.Auth = "PLAIN"
		began := time.Now()
		want(t, p.m.Test(t.Context()), dispatch.OutcomeDelivered)
		if spent := time.Since(began); spent != farewell {
			t.Errorf("it took %v", spent)
		}
	})
}

// TestStalledMessage: a server that stops reading in the middle of a message
// does not have it.
func TestStalledMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := false
		p := puppet(t, func(line string) string {
			if stalled {
				return silence
			}
			stalled = strings.HasPrefix(line, "DATA")
			return polite(line)
		})
		p.m.s.Auth = "PLAIN"
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		parcel := exam.Parcel(1)
		long := strings.Repeat("word ", 4_000)
		parcel.Alert.Description = &long
		began := time.Now()
		want(t, p.deliver(ctx, parcel, to(alice)), dispatch.OutcomeDeferred, "DATA")
		if spent := time.Since(began); spent != 20*time.Second {
			t.Errorf("it took %v", spent)
		}
	})
}

// TestEndlessAnswer: a server that never stops talking fills no memory.
func TestEndlessAnswer(t *testing.T) {
	for name, line := range map[string]string{
		"one line": strings.Repeat("x", 64<<10), "many lines": "250-" + strings.Repeat("x", 64<<10) + "\r\n",
	} {
		near, far := net.Pipe()
		var serving sync.WaitGroup
		sent := 0
		serving.Go(func() {
			defer far.Close()
			for {
				n, err := far.Write([]byte(line))
				if sent += n; err != nil {
					return
				}
			}
		})
		p := puppet(t, polite)
		p.m.world.Dial = func(context.Context, string, string) (net.Conn, error) { return near, nil }
		want(t, p.deliver(t.Context(), exam.Parcel(1), to(alice)), dispatch.OutcomeDeferred)
		serving.Wait()
		if sent > maxAnswers+len(line) {
			t.Errorf("%s: %d bytes were taken", name, sent)
		}
	}
}

// TestNotAMailServer: what does not speak SMTP is named so.
func TestNotAMailServer(t *testing.T) {
	p := puppet(t, func(string) string { return "HTTP/1.1 400 Bad Request" })
	want(t, p.deliver(t.Context(), exam.Parcel(1), to(alice)), dispatch.OutcomeMisconfigured, "settings.port")
}

// TestCommands: an international address is announced, a plain one is not, and
// the name in EHLO is the one that is set, or a legal one.
func TestCommands(t *testing.T) {
	for address, row := range map[string]struct{ helo, greets, begins string }{
		alice:                {"tocsin.example.com", "EHLO tocsin.example.com", "MAIL FROM:<tocsin@example.com>"},
		"jürgen@example.com": {"[192.0.2.1]", "EHLO [192.0.2.1]", "MAIL FROM:<tocsin@example.com> SMTPUTF8"},
		`"a b"@example.com`:  {"", "EHLO ", "MAIL FROM:<tocsin@example.com>"},
	} {
		var heard []string
		p := puppet(t, func(line string) string {
			heard = append(heard, line)
			if strings.HasPrefix(line, "EHLO") {
				return "250-hello\r\n250 SMTPUTF8"
			}
			if strings.HasPrefix(line, "RCPT") {
				return "550 5.1.1 no"
			}
			return polite(line)
		})
		p.m.s.Helo, p.m.s.Auth = row.helo, authNone
		want(t, p.deliver(t.Context(), exam.Parcel(1), to(address)), dispatch.OutcomeRefused)
		if len(heard) < 4 || !strings.HasPrefix(heard[1], row.greets) || heard[2] != row.begins || heard[3] != "RCPT TO:<"+address+">" {
			t.Errorf("%s: the server heard %q", address, heard)
		}
	}
}

// TestNameInHello: without a setting it is a name or an address that a mail
// server takes.
func TestNameInHello(t *testing.T) {
	for _, local := range []net.Addr{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}, &net.TCPAddr{IP: net.ParseIP("2001:db8::7")}, &net.UnixAddr{}} {
		if name := (&Settings{}).helo(local); !heloForm.MatchString(name) {
			t.Errorf("%v: %q", local, name)
		}
	}
}
