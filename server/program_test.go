package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tocsin/lambda"
)

// binary builds the program, once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tocsin-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tocsin")
	out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "..").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	lambda.Inside()
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path)) // a temporary directory, at worst left behind
	}
	os.Exit(code)
}

// program is the binary at work in a process of its own.
type program struct {
	api
	dir   string
	addr  string
	build func() (string, error) // nil for the usual binary
	env   []string               // beside the test's own
	cmd   *exec.Cmd
	out   *transcript
}

// transcript is what a process has written, also while it writes on.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// start starts the binary on a directory; again on the same address after a stop.
func (p *program) start(t *testing.T) {
	t.Helper()
	p.launch(t)
	p.ready()
	p.learnToken()
}

// launch starts the process and waits for nothing.
func (p *program) launch(t *testing.T) {
	t.Helper()
	build := binary
	if p.build != nil {
		build = p.build
	}
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	if p.addr == "" {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.addr = l.Addr().String()
		_ = l.Close()
	}
	p.out = &transcript{}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), path, "serve", "--data", p.dir, "--listen", p.addr, "--allow-outbound", "127.0.0.1")
	p.cmd.Stdout, p.cmd.Stderr = p.out, io.Discard
	p.cmd.Env = append(os.Environ(), p.env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.t, p.url = t, "http://"+p.addr
}

// learnToken reads the token that the first start prints; the text may come
// after the program is ready.
func (p *program) learnToken() {
	p.t.Helper()
	for end := time.Now().Add(patience); p.token == ""; {
		p.token = regexp.MustCompile(`tocsin_[\w-]{43}`).FindString(p.out.String())
		if time.Now().After(end) {
			p.t.Fatalf("the first start printed no token: %s", p.out)
		}
	}
}

// ready waits until the server says that it is.
func (p *program) ready() {
	p.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if status, _ := p.readyz(); status == http.StatusOK {
			return
		}
	}
	p.t.Fatalf("the program does not become ready: %s", p.out)
}

// readyz asks whether the program is ready, and for its reason.
func (p *program) readyz() (int, string) {
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/readyz", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r) //nolint:forbidigo // a test talks to itself
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

// kill ends the process at once, as a power cut would.
func (p *program) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait() // killed: its state says so
}

// end ends the process as an operator would; it must end by itself and well.
func (p *program) end() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the program ended with %v", err)
	}
}

// run runs a command of the binary on the program's directory.
func (p *program) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, errs.String())
	}
	return out.String(), err
}

// TestProgramIsSmall: the binary, the memory at rest and the time from start to
// ready, on a database that exists.
func TestProgramIsSmall(t *testing.T) {
	p := &program{dir: t.TempDir()}
	p.start(t)
	p.end()
	best := time.Hour
	for range 5 {
		began := time.Now()
		p.start(t)
		best = min(best, time.Since(began))
		p.end()
	}
	p.start(t)
	defer p.end()
	rss := resident(t, p.cmd.Process.Pid)
	path, _ := binary()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("binary %.1f MB, resident %.1f MiB, start to ready %v (best of 5)", float64(info.Size())/1e6, float64(rss)/(1<<20), best)
	if info.Size() > 60e6 {
		t.Errorf("the binary has %d bytes, want under 60 MB", info.Size())
	}
	if rss > 60<<20 {
		t.Errorf("the program takes %d bytes at rest, want under 60 MiB", rss)
	}
	if best > 200*time.Millisecond {
		t.Errorf("ready after %v, want under 0.2 s", best)
	}
}

// resident is the memory of a process, by Linux's account; elsewhere there is none.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Log("this system does not tell the memory of a process:", err)
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	return 0
}

// TestFirstStart: the first start makes the key file for its owner alone and
// prints a token once; the second prints none.
func TestFirstStart(t *testing.T) {
	p := &program{dir: filepath.Join(t.TempDir(), "new")}
	p.start(t)
	if !strings.Contains(p.out.String(), p.token) || p.token == "" {
		t.Errorf("the first start printed %q", p.out)
	}
	info, err := os.Stat(filepath.Join(p.dir, "key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file is %v, %v; want it for its owner alone", info.Mode(), err)
	}
	var data struct {
		Viewer struct {
			Name   string
			Scopes []string
		}
	}
	p.ask(`{ viewer { name scopes } }`, nil, &data)
	if data.Viewer.Name != "administrator" || data.Viewer.Scopes[0] != "ADMIN" {
		t.Errorf("viewer %+v", data.Viewer)
	}
	p.end()
	p.start(t)
	defer p.end()
	if p.out.String() != "" {
		t.Errorf("the second start printed %q", p.out)
	}
}

// TestTokenBesideTheServer: a token made beside a running server works, and one
// revoked beside it ends within a second.
func TestTokenBesideTheServer(t *testing.T) {
	p := &program{dir: t.TempDir()}
	p.start(t)
	defer p.end()
	made, err := p.run(t, "token", "create", "--data", p.dir, "--name", "sensor", "--scopes", "RAISE,READ")
	if err != nil || !regexp.MustCompile(`^tocsin_[\w-]{43}\n$`).MatchString(made) {
		t.Fatalf("token create printed %q, %v; want the token alone", made, err)
	}
	sensor := api{t, p.url, strings.TrimSpace(made)}
	sensor.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"})
	if list, err := p.run(t, "token", "list", "--data", p.dir); err != nil || !strings.Contains(list, "sensor") || strings.Contains(list, sensor.token) {
		t.Errorf("token list printed %q, %v", list, err)
	}
	if _, err := p.run(t, "token", "revoke", "--data", p.dir, "--name", "sensor"); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	for {
		status, _, err := sensor.post(t.Context(), `{ viewer { name } }`, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status == http.StatusUnauthorized {
			break
		}
		if time.Since(revoked) > 2*time.Second {
			t.Fatal("the revoked token still works after two seconds")
		}
	}
	if _, err := p.run(t, "token", "create", "--data", p.dir, "--name", "x", "--scopes", "EVERYTHING"); err == nil || !strings.Contains(err.Error(), "RAISE, READ") {
		t.Errorf("an unknown scope gave %v", err)
	}
}
