// Package smtp is a mail server that takes every message or fails by script, phase by phase: plain, with STARTTLS or with
// TLS from the first byte, with a certificate of its own making. It delivers nothing, and it checks no addresses but those
// that a script refuses.
package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/mail"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"tocsin/fake"
)

// Security is how a connection is protected.
type Security string

// The kinds of security that a server can have.
const (
	Plain    Security = ""         // no TLS at all
	StartTLS Security = "starttls" // offered; AUTH only after it
	TLS      Security = "tls"      // from the first byte
)

// Options of a server.
type Options struct {
	Security Security
	// Users and their passwords, which are also their tokens for XOAUTH2. With any, mail is taken only after AUTH, which
	// a Plain server offers in clear text.
	Users map[string]string
	// Mechanisms of AUTH in the order they are offered; default PLAIN, LOGIN, SCRAM-SHA-256 and XOAUTH2.
	Mechanisms []string
}

// Message is a message that was taken.
type Message struct {
	Time   time.Time
	From   string   // of the envelope
	To     []string // of the envelope
	Header mail.Header
	Raw    []byte // as sent, dots unstuffed, with CRLF
	User   string // who had logged in, if anyone
	TLS    bool
}

// Command is one phase that a client reached, be it refused or not.
type Command struct {
	Conn  int // counts connections from 1
	Phase Phase
	Arg   string // the name in EHLO or of TLS, the user of AUTH, the address of MAIL and RCPT
}

// Server is the fake.
type Server struct {
	Messages fake.Log[Message]
	Commands fake.Log[Command] // a command is here before its answer is given

	o         Options
	script    fake.Script[Step]
	gate      fake.Gate
	roots     *x509.CertPool
	tls       *tls.Config
	smtp      *gosmtp.Server
	scramKeys map[string]scramKeys
	addr      string

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]struct{}
	accepted int
	closed   bool
	gone     chan struct{}
	serving  sync.WaitGroup
}

// New makes a server with its own certificate authority; Start or Serve opens it. It fails when a user's name or password
// cannot be prepared for SCRAM.
func New(o Options) (*Server, error) {
	if len(o.Mechanisms) == 0 {
		o.Mechanisms = []string{"PLAIN", "LOGIN", "SCRAM-SHA-256", "XOAUTH2"}
	}
	s := &Server{o: o, conns: map[*conn]struct{}{}, gone: make(chan struct{})}
	var err error
	if s.scramKeys, err = makeScramKeys(o.Users); err != nil {
		return nil, err
	}
	if s.tls, s.roots, err = makeTLS(); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	s.tls.GetConfigForClient = s.handshake
	s.smtp = gosmtp.NewServer(gosmtp.BackendFunc(s.newSession))
	s.smtp.Domain = serverName
	s.smtp.ErrorLog = log.New(io.Discard, "", 0) // broken connections are what scripts provoke
	s.smtp.AllowInsecureAuth = o.Security != StartTLS
	if o.Security == StartTLS {
		s.smtp.TLSConfig = s.tls
	}
	return s, nil
}

// Start listens on a TCP address, such as 127.0.0.1:0, and serves until Close.
func (s *Server) Start(addr string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("start fake: %w", err)
	}
	s.Serve(l)
	return nil
}

// Serve serves a listener, for example a fake.Pipe, until Close. It returns at once; call it once.
func (s *Server) Serve(l net.Listener) {
	s.addr = l.Addr().String()
	s.listener = l
	s.serving.Go(func() { _ = s.smtp.Serve(listener{l, s}) }) // it always ends with the listener
}

// Addr is host:port; empty before Start or Serve.
func (s *Server) Addr() string { return s.addr }

// URL is smtp://host:port, or smtps:// where TLS comes first.
func (s *Server) URL() string {
	if s.o.Security == TLS {
		return "smtps://" + s.addr
	}
	return "smtp://" + s.addr
}

// Roots is the pool with the one authority that signed the server's certificate, which is good for localhost, 127.0.0.1,
// ::1 and fake.invalid.
func (s *Server) Roots() *x509.CertPool { return s.roots }

// Play appends steps to the script; a step is used up by the first commands that match its phase and address.
func (s *Server) Play(steps ...Step) { s.script.Play(steps...) }

// Behave drops what is left of the script.
func (s *Server) Behave() { s.script.Clear() }

// Release lets the connections go on that a script holds back now.
func (s *Server) Release() { s.gate.Release() }

// Close ends all connections and returns when none of the server's goroutines is left.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.gone)
	s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	err := s.listener.Close()
	s.serving.Wait()
	s.mu.Lock()
	for c := range s.conns {
		c.drop()
	}
	s.mu.Unlock()
	if serr := s.smtp.Shutdown(context.Background()); !errors.Is(serr, net.ErrClosed) { // the listener is closed already
		err = errors.Join(err, serr)
	}
	return err
}
