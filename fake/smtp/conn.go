package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	gosmtp "github.com/emersion/go-smtp"
)

// conn is a connection that a script can end. With implicit TLS it is above TLS, with STARTTLS below.
type conn struct {
	net.Conn
	raw    net.Conn // the socket itself
	server *Server
	number int
	greet  sync.Once
	last   atomic.Bool // the next write is the last
}

// drop ends the connection without a word, not even TLS's.
func (c *conn) drop() { _ = c.raw.Close() }

func (c *conn) dropAfterWrite() { c.last.Store(true) }

// Write plays the script for the first write, the greeting, and ends the connection after the last.
func (c *conn) Write(p []byte) (int, error) {
	var refused error
	c.greet.Do(func() { refused = c.server.meet(c, Connect, "") })
	if refused != nil {
		return 0, c.refuse(refused)
	}
	n, err := c.Conn.Write(p)
	if c.last.Load() {
		c.drop()
	}
	return n, err
}

// refuse answers a connection in place of the greeting, and ends it.
func (c *conn) refuse(refused error) error {
	if e, ok := errors.AsType[*gosmtp.SMTPError](refused); ok {
		code := e.EnhancedCode
		_, _ = fmt.Fprintf(c.Conn, "%d %d.%d.%d %s\r\n", e.Code, code[0], code[1], code[2], e.Message)
	}
	c.drop()
	return refused
}

// Close ends the connection in order and forgets it.
func (c *conn) Close() error {
	c.server.mu.Lock()
	delete(c.server.conns, c)
	c.server.mu.Unlock()
	return c.Conn.Close()
}

// listener numbers connections and keeps those that are open.
type listener struct {
	net.Listener
	server *Server
}

// Accept returns a *conn. What arrives while the server closes is closed at once.
func (l listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := l.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted++
	c := &conn{Conn: raw, raw: raw, server: s, number: s.accepted}
	if s.o.Security == TLS {
		c.Conn = tls.Server(handshaking{raw, c}, s.tls)
	}
	s.conns[c] = struct{}{}
	return c, nil
}

// handshaking is the socket under implicit TLS; it leads from a handshake back to its conn.
type handshaking struct {
	net.Conn
	above *conn
}

// handshake plays the script for a client's first TLS message, whichever way it came.
func (s *Server) handshake(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c := connOf(hello.Conn)
	return nil, s.meet(c, Handshake, hello.ServerName)
}

// connOf finds our connection above or below TLS.
func connOf(c net.Conn) *conn {
	switch c := c.(type) {
	case *conn:
		return c
	case handshaking:
		return c.above
	case *tls.Conn:
		return connOf(c.NetConn())
	}
	return nil
}
