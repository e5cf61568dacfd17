package guard_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"code.dny.dev/ssrf"

	"tocsin/actors/guard"
)

// TestRefusedAddresses: what the guard must not reach, as addresses and in the
// spellings that URLs allow.
func TestRefusedAddresses(t *testing.T) {
	g := guard.New(nil)
	for _, host := range []string{
		"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "10.0.0.1", "172.16.0.1", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "0.0.0.0", "[::]", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"192.0.2.1", "192.88.99.1", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]", "[2002:7f00:1::]", "[64:ff9b::7f00:1]",
		"[2001:db8::1]", "[2001:0::1]", "[5f00::1]", "168.63.129.16", "localhost",
	} {
		err := get(t, g, "http://"+host+":1/")
		if !errors.Is(err, ssrf.ErrProhibitedIP) {
			t.Errorf("%s: %v, want it refused", host, err)
			continue
		}
		if !strings.Contains(err.Error(), "--allow-outbound") || !strings.Contains(err.Error(), "TOCSIN_ALLOW_OUTBOUND") {
			t.Errorf("%s: %v does not say how to allow it", host, err)
		}
	}
	for _, host := range []string{"0", "0x7f000001", "2130706433"} {
		if err := get(t, g, "http://"+host+":1/"); err == nil {
			t.Errorf("%s was reached", host)
		}
	}
}

// TestPublicAddress passes the guard: the dial ends for another reason.
func TestPublicAddress(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	conn, err := guard.New(nil).Dial(ctx, "tcp", "1.1.1.1:443")
	if err == nil {
		conn.Close()
	} else if errors.Is(err, ssrf.ErrProhibitedIP) {
		t.Errorf("a public address is refused: %v", err)
	}
}

// TestOtherNetworks: the guard opens TCP connections and nothing else.
func TestOtherNetworks(t *testing.T) {
	for network, address := range map[string]string{"unix": "/var/run/docker.sock", "udp": "1.1.1.1:53"} {
		if _, err := guard.New(nil).Dial(t.Context(), network, address); !errors.Is(err, ssrf.ErrProhibitedNetwork) {
			t.Errorf("%s: %v, want it refused", network, err)
		}
	}
}

// TestAllowed: what the operator allows is reached, on any port.
func TestAllowed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	defer server.Close()
	if err := get(t, loopback(), server.URL); err != nil {
		t.Errorf("an allowed address: %v", err)
	}
	mapped := strings.Replace(server.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)
	if err := get(t, loopback(), mapped); err != nil {
		t.Errorf("an allowed address, written as IPv6: %v", err)
	}
	links := guard.New([]netip.Prefix{netip.MustParsePrefix("fe80::/10")})
	if err := get(t, links, "http://[fe80::1%25lo]:1/"); errors.Is(err, ssrf.ErrProhibitedIP) {
		t.Errorf("an allowed address with a zone: %v", err)
	}
	if err := get(t, loopback(), "http://10.0.0.1:1"); !errors.Is(err, ssrf.ErrProhibitedIP) {
		t.Errorf("an address beside the allowed ones: %v", err)
	}
}

// TestOwnAddress: this server's own door stays shut, whatever is allowed.
func TestOwnAddress(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached") }))
	defer server.Close()
	own := netip.MustParseAddrPort(server.Listener.Addr().String())
	everywhere := netip.AddrPortFrom(netip.IPv6Unspecified(), own.Port())
	for _, listen := range []netip.AddrPort{own, everywhere} {
		err := get(t, guard.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, listen), server.URL)
		if !errors.Is(err, ssrf.ErrProhibitedIP) || !strings.Contains(err.Error(), "listens on") {
			t.Errorf("listening on %s: %v", listen, err)
		}
	}
}

// TestNoRedirect: a redirect is the answer, and nobody goes where it leads.
func TestNoRedirect(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	r := request(t, server.URL+"/")
	response, err := loopback().Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("status %d", response.StatusCode)
	}
}

// TestNoProxy: a proxy in the environment is not asked.
func TestNoProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	if err := get(t, loopback(), "http://10.0.0.1:1/"); !errors.Is(err, ssrf.ErrProhibitedIP) {
		t.Errorf("behind a proxy: %v", err)
	}
}

// TestUserInAddress is refused, and the password stays out of the error.
func TestUserInAddress(t *testing.T) {
	err := get(t, loopback(), "http://user:passw0rd@127.0.0.1:1/")
	if err == nil || !strings.Contains(err.Error(), "user name") || strings.Contains(err.Error(), "passw0rd") {
		t.Errorf("error %v", err)
	}
}

// TestEndlessAnswer ends.
func TestEndlessAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	response, err := loopback().Client().Do(request(t, server.URL))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if err == nil || n > 8<<20 {
		t.Errorf("read %d bytes, error %v", n, err)
	}
}

// TestConnectionsAreKept: a hundred requests in turn use one connection, which
// the owner can close.
func TestConnectionsAreKept(t *testing.T) {
	opened, closed := 0, make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened++
		case http.StateClosed:
			close(closed)
		case http.StateActive, http.StateIdle, http.StateHijacked:
		}
	}
	server.Start()
	defer server.Close()
	g := loopback()
	for range 100 {
		if err := get(t, g, server.URL); err != nil {
			t.Fatal(err)
		}
	}
	g.Client().CloseIdleConnections()
	<-closed
	if opened != 1 {
		t.Errorf("%d connections for a hundred requests", opened)
	}
}

func loopback() *guard.Guard {
	return guard.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func get(t *testing.T, g *guard.Guard, url string) error {
	t.Helper()
	response, err := g.Client().Do(request(t, url))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return err
}
