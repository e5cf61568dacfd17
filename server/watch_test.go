package server

import (
	"bufio"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// proxy lets connections through until so many bytes have come back, then cuts
// them wherever that is.
type proxy struct {
	net.Listener
	target string
	budget func() int64 // 0 is without end
	cuts   atomic.Int64
	all    sync.WaitGroup
}

// newProxy listens until the test ends.
func newProxy(t *testing.T, target string, budget func() int64) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, target: target, budget: budget}
	p.all.Go(p.serve)
	t.Cleanup(func() {
		_ = l.Close()
		p.all.Wait()
	})
	return p
}

func (p *proxy) serve() {
	for {
		client, err := p.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close() // the server is away: so is the connection
			continue
		}
		budget := p.budget()
		p.all.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
		p.all.Go(func() {
			defer client.Close()
			if budget == 0 {
				_, _ = io.Copy(client, server)
				return
			}
			if n, _ := io.CopyN(client, server, budget); n == budget {
				p.cuts.Add(1)
			}
		})
	}
}

// watcher is the watch command at work.
type watcher struct {
	cmd   *exec.Cmd
	lines <-chan string
	errs  *transcript
}

func (p *program) watch(t *testing.T, url, token string, args ...string) *watcher {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"watch", "--server", url, "--token-file", token}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs := &transcript{}
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10_000)
	go func() { // ends with the process
		defer close(lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	return &watcher{cmd, lines, errs}
}

// end waits for the last lines and the end, and returns how it ended.
func (w *watcher) end(t *testing.T) (code int, said string) {
	t.Helper()
	for range w.lines { // drained, so that nothing holds up the end
	}
	return exitCode(t, w.cmd.Wait()), w.errs.String()
}

// TestWatchCommand watches through a proxy that cuts connections in the middle
// of whatever they carry, and over a restart of the server: every line of the
// ledger is printed, once and in order.
func TestWatchCommand(t *testing.T) {
	p := &program{dir: t.TempDir()}
	p.start(t)
	p.made("createAction", "action", map[string]any{
		"name": "All", "allModels": true,
		"apiConfigIds": []string{p.made("createApiConfig", "apiConfig", map[string]any{"actorType": "notification"})},
	})
	random := rand.New(rand.NewPCG(5, 6))
	between := newProxy(t, p.addr, func() int64 { return 2_000 + random.Int64N(40_000) })
	begun := p.ledgerNow()
	w := p.watch(t, "http://"+between.Addr().String(), p.tokenFile(t, "board", "READ"), "--after", begun, "--json")

	changes := rand.New(rand.NewPCG(7, 8))
	var ids []string
	for i := range 400 {
		if i == 200 {
			p.end()
			p.start(t)
		}
		if id := p.changeSomething(changes, ids); id != "" {
			ids = append(ids, id)
		}
	}
	want := p.ledgerAfter(begun)
	var got []string
	for len(got) < len(want) {
		select {
		case line, ok := <-w.lines:
			var e struct{ Cursor string }
			if !ok || json.Unmarshal([]byte(line), &e) != nil {
				t.Fatalf("the watch printed %q; it said %s", line, w.errs)
			}
			got = append(got, e.Cursor)
		case <-time.After(patience):
			t.Fatalf("%d of %d events were printed", len(got), len(want))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the events (-ledger +printed):\n%s", diff)
	}
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	code, said := w.end(t)
	if last := want[len(want)-1]; code != 130 || !strings.HasSuffix(said, "tocsin: interrupted; to go on from here give --after "+last+"\n") {
		t.Errorf("interrupted, it ended with %d and said %s", code, said)
	}
	_ = between.Close()
	p.end()
	between.all.Wait()
	t.Logf("%d events over %d cuts and a restart; it tried %d times", len(got), between.cuts.Load(), strings.Count(said, "trying again"))
	if between.cuts.Load() < 5 {
		t.Errorf("the connection was cut only %d times", between.cuts.Load())
	}
}

// ledgerAfter lists the cursors of all ticket events after one.
func (a api) ledgerAfter(cursor string) (all []string) {
	a.t.Helper()
	for {
		var data struct {
			TicketEvents struct {
				Nodes    []struct{ Cursor string }
				PageInfo struct {
					HasNextPage bool
					EndCursor   string
				}
			}
		}
		a.ask(`query($after: String) { ticketEvents(first: 100, after: $after, direction: ASC) {
			nodes { cursor } pageInfo { hasNextPage endCursor } } }`, map[string]any{"after": cursor}, &data)
		for _, n := range data.TicketEvents.Nodes {
			all = append(all, n.Cursor)
		}
		if !data.TicketEvents.PageInfo.HasNextPage {
			return all
		}
		cursor = data.TicketEvents.PageInfo.EndCursor
	}
}

// TestWatchCommandEnds: what no connection cures ends it, with the code and the
// remedy.
func TestWatchCommandEnds(t *testing.T) {
	p := &program{dir: t.TempDir()}
	p.start(t)
	defer p.end()
	reader, sensor := p.tokenFile(t, "reader", "READ"), p.tokenFile(t, "sensor", "RAISE")
	foreign := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(foreign, []byte("tocsin_"+strings.Repeat("A", 43)), 0o600); err != nil {
		t.Fatal(err)
	}
	before := p.ledgerNow()
	for _, test := range []struct {
		name, token, after string
		code               int
		want               string
	}{
		{"an unknown token", foreign, "", 1, "the server does not accept the token"},
		{"an unknown token, over WebSocket", foreign, before, 1, "the server does not accept the token"},
		{"a token that may raise only", sensor, "", 1, "the token may not do this; use one with the scope READ"},
		{"a token that may raise only, over WebSocket", sensor, before, 1, "the token may not do this; use one with the scope READ"},
		{"a cursor that the ledger does not hold", reader, dispatch.LedgerCursor(1 << 40), 3, "the ledger no longer holds what follows this cursor"},
		{"a cursor that is none", reader, "nonsense", 2, "--after: the cursor is not one of this list"},
	} {
		args := []string{"watch", "--server", p.url, "--token-file", test.token}
		if test.after != "" {
			args = append(args, "--after", test.after)
		}
		_, err := p.run(t, args...)
		if code := exitCode(t, err); code != test.code || !strings.Contains(err.Error(), "tocsin: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s ended with %v; want %d, %s", test.name, err, test.code, test.want)
		}
	}

	w := p.watch(t, p.url, reader, "--after", before)
	p.made("createAction", "action", map[string]any{
		"name": "All", "allModels": true,
		"apiConfigIds": []string{p.made("createApiConfig", "apiConfig", map[string]any{"actorType": "notification"})},
	})
	p.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in \u202e\u001b[2J", "key": "bob", "severity": "HIGH"})
	select {
	case line := <-w.lines:
		if !strings.HasSuffix(line, "  T-1  OPENED            HIGH by administrator: Sign-in   [2J") {
			t.Errorf("printed %q", line)
		}
	case <-time.After(patience):
		t.Fatal("the event was not printed")
	}
	if _, err := p.run(t, "token", "revoke", "--data", p.dir, "--name", "reader"); err != nil {
		t.Fatal(err)
	}
	if code, said := w.end(t); code != 1 || !strings.HasPrefix(said, "tocsin: the server does not accept the token; it may be wrong, expired or revoked") {
		t.Errorf("revoked, it ended with %d and said %s", code, said)
	}
}

// ledgerNow is the newest place in the ledger.
func (a api) ledgerNow() string {
	a.t.Helper()
	var data struct{ LedgerCursor string }
	a.ask(`{ ledgerCursor }`, nil, &data)
	return data.LedgerCursor
}
