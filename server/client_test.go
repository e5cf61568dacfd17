package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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

// tokenFile makes a token of those scopes beside the server and a file of it.
func (p *program) tokenFile(t *testing.T, name, scopes string) string {
	t.Helper()
	text, err := p.run(t, "token", "create", "--data", p.dir, "--name", name, "--scopes", scopes)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// exitCode is how a command ended.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatal(err)
	}
	return ended.ExitCode()
}

// eveLog makes a log of Suricata of 1,000 lines, the broken one in the middle,
// and tells how many of them are alerts.
func eveLog(t *testing.T) (path string, alerts int) {
	t.Helper()
	text, err := os.ReadFile("../cli/testdata/eve.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var whole [][]byte
	var broken []byte
	for line := range bytes.Lines(text) {
		if json.Valid(line) {
			whole = append(whole, line)
		} else {
			broken = line
		}
	}
	var log bytes.Buffer
	for i := range 1000 {
		line := whole[i%len(whole)]
		switch {
		case i == 499:
			line = broken
		case bytes.Contains(line, []byte(`"event_type":"alert"`)):
			alerts++
		}
		log.Write(line)
	}
	path = filepath.Join(t.TempDir(), "eve.json")
	if err := os.WriteFile(path, log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, alerts
}

// TestRaiseCommand raises a log of 1,000 lines through the program, twice, with
// a token that may do nothing else.
func TestRaiseCommand(t *testing.T) {
	p := &program{dir: t.TempDir()}
	p.start(t)
	defer p.end()
	token := p.tokenFile(t, "suricata", "RAISE")
	log, alerts := eveLog(t)
	for _, counts := range []string{fmt.Sprintf("accepted %d, repeated 0", alerts), fmt.Sprintf("accepted 0, repeated %d", alerts)} {
		began := time.Now()
		out, err := p.run(t, "raise", "--server", p.url, "--token-file", token, "--format", "eve", log)
		if code := exitCode(t, err); code != 1 {
			t.Errorf("a run with a broken line ended with %d", code)
		}
		if want := fmt.Sprintf("%s, rejected 1 (line 500), skipped %d\n", counts, 999-alerts); out != want {
			t.Errorf("printed %swant %s", out, want)
		}
		if want := log + ":500: is not JSON: unexpected end of JSON input; give one JSON object a line\n"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("said %v, want %s", err, want)
		}
		t.Logf("%s in %v", out, time.Since(began).Round(time.Millisecond))
	}
	var data struct {
		Alerts struct {
			TotalCount int
			Nodes      []struct {
				BehaviorModel, Behavior, Key, KeyType, Severity, Source, OccurredAt string
				Attributes, Payload                                                 map[string]any
			}
		}
	}
	p.ask(`{ alerts(first: 1, filter: {behaviorModels: ["ET MALWARE Example Trojan Checkin"]}) { totalCount nodes {
		behaviorModel behavior key keyType severity source occurredAt attributes payload } } }`, nil, &data)
	if len(data.Alerts.Nodes) != 1 || data.Alerts.TotalCount != 35 {
		t.Fatalf("%d alerts of the model, want 35", data.Alerts.TotalCount)
	}
	a := data.Alerts.Nodes[0]
	got := []any{a.Behavior, a.Key, a.KeyType, a.Severity, a.Source, a.OccurredAt, a.Attributes["dest_ip"], a.Attributes["signature_id"], a.Payload["event_type"]}
	want := []any{"Malware Command and Control Activity Detected", "192.0.2.10", "ip", "HIGH", "suricata", "2026-03-14T09:26:21.275Z", "198.51.100.9", 2027865.0, "alert"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the alert in the books (-want +got):\n%s", diff)
	}
	p.ask(`{ alerts(first: 1) { totalCount } }`, nil, &data)
	if data.Alerts.TotalCount != alerts {
		t.Errorf("%d alerts are in the books, want %d", data.Alerts.TotalCount, alerts)
	}
}

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
