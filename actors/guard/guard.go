// Package guard is the way out: the one HTTP client and the one dial function
// through which everything leaves this server, whoever configured the address.
// It judges each address after the name was resolved, so that neither a name
// nor a redirect leads to the server's own network unless the operator allows
// that. It restricts no ports, since mail servers and home-made receivers
// listen anywhere, and it knows nothing of what is said over a connection.
package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Guard opens connections to public addresses and to what the operator allows.
// It is safe for many goroutines.
type Guard struct {
	rules  *ssrf.Guardian
	own    []netip.AddrPort
	dialer net.Dialer
	client *http.Client
}

// azurePlatform is a public address behind which Azure answers its own
// machines; the special-purpose registries do not list it.
var azurePlatform = netip.MustParsePrefix("168.63.129.16/32")

// New makes a guard that also lets through the networks in allow, private and
// loopback ones included. Own names where this server itself listens: that is
// refused even where allow covers it. An own address without an IP, such as
// [::]:8080, stands for every address of this machine.
func New(allow []netip.Prefix, own ...netip.AddrPort) *Guard {
	var v4, v6 []netip.Prefix
	for _, prefix := range allow {
		if prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	g := &Guard{own: own, rules: ssrf.New(
		ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...),
		ssrf.WithDeniedV4Prefixes(azurePlatform),
	)}
	g.dialer = net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: g.control}
	g.client = &http.Client{
		Transport:     door{g.transport()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return g
}

// transport has no proxy: behind one, the guard would judge the proxy's address.
func (g *Guard) transport() *http.Transport {
	return &http.Transport{
		DialContext:            g.Dial,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    128, // more than the calls at once through one actor
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Client is the guarded client. It uses no proxy, follows no redirect, sets no
// time limit but the request's context, and refuses addresses with a user name
// in them. A response's body ends in an error after 8 MiB.
func (g *Guard) Client() *http.Client { return g.client }

// Dial opens a guarded TCP connection. A refusal wraps ssrf.ErrProhibitedIP or
// ssrf.ErrProhibitedNetwork.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dialer.DialContext(ctx, network, address)
}

// control judges an address right before the connection is made to it, so that
// a name which changes between check and use gains nothing.
func (g *Guard) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s", ssrf.ErrProhibitedNetwork, network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", ssrf.ErrInvalidHostPort, address)
	}
	to = netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port())
	if g.isOwn(to) {
		return fmt.Errorf("%w: this server listens on %s itself; give the address of another system", ssrf.ErrProhibitedIP, to)
	}
	if g.rules.SafeAddr(to.Addr()) == nil {
		return nil
	}
	return fmt.Errorf("%w: %s is %s; the operator can allow it with --allow-outbound %s (TOCSIN_ALLOW_OUTBOUND)",
		ssrf.ErrProhibitedIP, to.Addr(), what(to.Addr()), netip.PrefixFrom(to.Addr(), to.Addr().BitLen()))
}

func what(a netip.Addr) string {
	if a.IsPrivate() || a.IsLoopback() {
		return "a private or loopback address"
	}
	return "an address reserved for special purposes"
}

func (g *Guard) isOwn(to netip.AddrPort) bool {
	return slices.ContainsFunc(g.own, func(own netip.AddrPort) bool {
		if own.Port() != to.Port() {
			return false
		}
		if own.Addr().IsUnspecified() || !own.Addr().IsValid() {
			return onThisMachine(to.Addr())
		}
		return own.Addr().Unmap() == to.Addr()
	})
}

func onThisMachine(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	mine, err := net.InterfaceAddrs()
	if err != nil {
		return true // what cannot be told apart is refused
	}
	return slices.ContainsFunc(mine, func(m net.Addr) bool {
		prefix, err := netip.ParsePrefix(m.String())
		return err == nil && prefix.Addr().Unmap().WithZone("") == a
	})
}

// door is what the transport itself does not look at.
type door struct{ next http.RoundTripper }

const maxBody = 8 << 20

var errUserinfo = errors.New("the address holds a user name or password before the @; give credentials as secrets")

// RoundTrip refuses credentials in the address and caps the answer.
func (d door) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.User != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, errUserinfo
	}
	resp, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	return resp, nil
}

// CloseIdleConnections lets http.Client close the connections that wait for use.
func (d door) CloseIdleConnections() {
	if c, ok := d.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
