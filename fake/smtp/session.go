package smtp

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// session is one client's conversation from EHLO on; STARTTLS begins another.
type session struct {
	server *Server
	conn   *conn
	tls    bool
	user   string
	from   string
	to     []string
}

func (s *Server) newSession(c *gosmtp.Conn) (gosmtp.Session, error) {
	_, upgraded := c.Conn().(*tls.Conn)
	x := &session{server: s, conn: connOf(c.Conn()), tls: upgraded || s.o.Security == TLS}
	return x, s.meet(x.conn, Hello, c.Hostname())
}

// AuthMechanisms are what EHLO offers.
func (x *session) AuthMechanisms() []string {
	if len(x.server.o.Users) == 0 {
		return nil
	}
	return x.server.o.Mechanisms
}

// Auth starts a login.
func (x *session) Auth(mechanism string) (sasl.Server, error) {
	if !slices.Contains(x.AuthMechanisms(), mechanism) {
		return nil, gosmtp.ErrAuthUnknownMechanism
	}
	return x.login(mechanism)
}

// Mail begins a message.
func (x *session) Mail(from string, _ *gosmtp.MailOptions) error {
	if err := x.server.meet(x.conn, Mail, from); err != nil {
		return err
	}
	if len(x.server.o.Users) > 0 && x.user == "" {
		return &gosmtp.SMTPError{Code: 530, EnhancedCode: gosmtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	x.from = from
	return nil
}

// Rcpt adds a recipient.
func (x *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	if err := x.server.meet(x.conn, Rcpt, to); err != nil {
		return err
	}
	x.to = append(x.to, to)
	return nil
}

// Data takes the message, unless the script refuses or drops it first.
func (x *session) Data(r io.Reader) error {
	step, opening := x.server.take(x.conn, Data, "")
	if step.Apply {
		if err := x.keep(r); err != nil {
			return err
		}
	}
	if err := x.server.perform(x.conn, step, opening); err != nil || step.Apply {
		return err
	}
	return x.keep(r)
}

func (x *session) keep(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read the message: %w", err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return &gosmtp.SMTPError{Code: 554, EnhancedCode: gosmtp.EnhancedCode{5, 6, 0}, Message: "malformed header: " + err.Error()}
	}
	x.server.Messages.Add(Message{
		Time: time.Now(), From: x.from, To: x.to, Header: m.Header, Raw: raw, User: x.user, TLS: x.tls,
	})
	return nil
}

// Reset forgets the message that was begun.
func (x *session) Reset() { x.from, x.to = "", nil }

// Logout ends the session; there is nothing to free.
func (x *session) Logout() error { return nil }
