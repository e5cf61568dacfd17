package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// session is one connection to the mail server, secured and logged in. It ends
// with the context that it was made with, whatever the server does.
type session struct {
	ctx    context.Context //nolint:containedctx // a session is one conversation, and says why it ended
	host   string
	tls    string // the setting
	raw    net.Conn
	client *smtp.Client
	stop   func() bool
	manner string // how it was secured and logged in, for a person
	over   bool   // the server ended it, or nobody knows where it stands
}

// connect opens a session. Without one the verdict says why not.
func (m *messenger) connect(ctx context.Context) (*session, verdict) {
	raw, err := m.world.Dial(ctx, "tcp", m.server())
	if err != nil {
		out := call.Unreached(m.server(), m.mask, err)
		return nil, verdict{kind: out.Kind(), text: out.Err().Error(), again: true}
	}
	s := &session{ctx: ctx, host: m.s.Host, tls: m.s.TLS, raw: &metered{Conn: raw, left: maxAnswers}}
	s.stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	if at, err := s.begin(m); err != nil {
		v := s.judge(at, err)
		s.close()
		return nil, v
	}
	return s, verdict{kind: dispatch.OutcomeDelivered}
}

// begin goes from the greeting to the login. An error comes with the stage.
func (s *session) begin(m *messenger) (stage, error) {
	secure := &tls.Config{ServerName: strings.Trim(s.host, "[]"), RootCAs: m.roots, MinVersion: tls.VersionTLS12}
	conn := s.raw
	if s.tls == implicitTLS {
		secured := tls.Client(s.raw, secure)
		if err := secured.HandshakeContext(s.ctx); err != nil {
			return atTLS, err
		}
		conn = secured
	}
	var err error
	if s.client, err = smtp.NewClient(conn, s.host); err != nil {
		return atGreeting, err
	}
	if err := s.client.Hello(m.s.helo(s.raw.LocalAddr())); err != nil {
		return atHello, err
	}
	if s.tls == startTLS {
		if offered, _ := s.client.Extension("STARTTLS"); !offered {
			return atTLS, errNoTLS
		}
		if err := s.client.StartTLS(secure); err != nil {
			return atTLS, err
		}
	}
	s.manner = map[string]string{startTLS: "answers over STARTTLS", implicitTLS: "answers over TLS", noTLS: "answers in clear text"}[s.tls]
	return atLogin, s.login(m.s)
}

var errNoTLS = errors.New("does not offer STARTTLS, so mail would go in clear text; try settings.tls IMPLICIT, or set it to NONE if that is meant")

// helo is the name to give in EHLO: a full one, else the address, which
// RFC 5321, 4.1.4 asks for where there is no name.
func (s *Settings) helo(local net.Addr) string {
	if s.Helo != "" {
		return s.Helo
	}
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") && heloForm.MatchString(name) {
		return name
	}
	if tcp, ok := local.(*net.TCPAddr); ok {
		if four := tcp.IP.To4(); four != nil {
			return "[" + four.String() + "]"
		}
		return "[IPv6:" + tcp.IP.String() + "]"
	}
	return "localhost"
}

// send gives the server one message for one recipient.
func (s *session) send(from, to string, message []byte) verdict {
	at, answer, err := s.transact(angled(from), angled(to), message)
	if err == nil {
		return verdict{kind: dispatch.OutcomeDelivered, text: "250 " + oneLine(dispatch.Cut(answer, maxAnswerShown))}
	}
	v := s.judge(at, err)
	if !s.over && s.client.Reset() != nil {
		s.over = true
	}
	return v
}

// transact goes through MAIL, RCPT and DATA.
func (s *session) transact(from, to string, message []byte) (stage, string, error) {
	if err := s.client.Mail(from); err != nil {
		return atSender, "", err
	}
	if err := s.client.Rcpt(to); err != nil {
		return atRecipient, "", err
	}
	w, err := s.client.Data()
	if err != nil {
		return atMessage, "", err
	}
	if _, err := w.Write(message); err != nil {
		return atMessage, "", err
	}
	if err := w.Close(); err != nil {
		return atEnd, "", err
	}
	var answer string
	if data, ok := w.(*smtp.DataCloser); ok {
		answer = data.ServerResponse()
	}
	return atEnd, answer, nil
}

// angled is an address as commands have it.
func angled(address string) string { return (&mail.Address{Address: address}).String() }

// farewell is how long the server's answer to QUIT is waited for. By then all
// that matters is known.
const farewell = time.Second

// close says goodbye where that makes sense, and ends the connection.
func (s *session) close() {
	if s.client != nil && !s.over && s.ctx.Err() == nil {
		_ = s.raw.SetDeadline(time.Now().Add(farewell))
		_ = s.client.Quit() // whatever it answers, the messages are settled
	}
	s.stop()
	_ = s.raw.Close()
}

// metered is a connection that ends when the server has said too much: answers
// have no length in SMTP, and the library reads whatever comes. It stands
// below TLS, above which the library must see a *tls.Conn.
type metered struct {
	net.Conn
	left int
}

// maxAnswers is ample for the answers to fifty messages, certificates included.
const maxAnswers = 1 << 20

var errTooMuch = fmt.Errorf("the server said more than %d KiB", maxAnswers>>10)

// Read reads what is left of the allowance.
func (m *metered) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooMuch
	}
	n, err := m.Conn.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}
