package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// raise runs the command with the text of a file, or of standard input where
// file is "-".
func raise(t *testing.T, h http.Handler, r Raise, text string) (code int, out, said string) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	r.Server = Server{URL: server.URL, TokenFile: tokenFile(t)}
	r.RetryFor = time.Second
	if r.File != "-" {
		r.File = filepath.Join(t.TempDir(), "in.jsonl")
		if err := os.WriteFile(r.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var outs, errs bytes.Buffer
	err := r.Run(t.Context(), IO{In: strings.NewReader(text), Out: &outs, Err: &errs})
	all := errs.String() + fmt.Sprint(err)
	if r.File != "-" {
		all = strings.ReplaceAll(all, r.File, "FILE")
	}
	return codeOf(err), outs.String(), all
}

// codeOf is what the program makes of an error.
func codeOf(err error) int {
	if coded, ok := errors.AsType[exit](err); ok {
		return coded.ExitCode()
	}
	if err != nil {
		return 1
	}
	return 0
}

// thousand makes a log of 1,000 lines from the few of testdata, the broken one
// on line 500, and tells how many of them are alerts.
func thousand(t *testing.T) (log string, alerts int) {
	t.Helper()
	var whole []string
	broken := string(lineOf(t, "eve.jsonl", 18))
	for line := range strings.Lines(string(mustRead(t, "eve.jsonl"))) {
		if line = strings.TrimSpace(line); line != broken {
			whole = append(whole, line)
		}
	}
	var out strings.Builder
	for i := range 1000 {
		line := whole[i%len(whole)]
		switch {
		case i == 499:
			line = broken
		case strings.Contains(line, `"event_type":"alert"`):
			alerts++
		}
		out.WriteString(line + "\n")
	}
	return out.String(), alerts
}

// TestRaise is the life of a log: raised, raised again, and mended.
func TestRaise(t *testing.T) {
	log, alerts := thousand(t)
	d := &desk{}
	dir := t.TempDir()
	server := httptest.NewServer(d)
	defer server.Close()
	r := Raise{Server: Server{URL: server.URL + "/", TokenFile: tokenFile(t)}, Format: "eve", RetryFor: time.Second, File: filepath.Join(dir, "eve.json")}
	run := func(text string) (int, string, string) {
		if err := os.WriteFile(r.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, said bytes.Buffer
		err := r.Run(t.Context(), IO{Out: &out, Err: &said})
		return codeOf(err), out.String(), said.String()
	}
	code, out, said := run(log)
	if want := fmt.Sprintf("accepted %d, repeated 0, rejected 1 (line 500), skipped %d\n", alerts, 999-alerts); code != 1 || out != want {
		t.Errorf("raised: %d, %s want %s", code, out, want)
	}
	if want := r.File + ":500: is not JSON: unexpected end of JSON input; give one JSON object a line\n"; said != want {
		t.Errorf("said %s want %s", said, want)
	}
	code, out, _ = run(log)
	if want := fmt.Sprintf("accepted 0, repeated %d, rejected 1 (line 500), skipped %d\n", alerts, 999-alerts); code != 1 || out != want {
		t.Errorf("again: %d, %s want %s", code, out, want)
	}
	mended := strings.Replace(log, string(lineOf(t, "eve.jsonl", 18))+"\n", string(lineOf(t, "eve.jsonl", 19))+"\n", 1)
	code, out, said = run(mended)
	if want := fmt.Sprintf("accepted 1, repeated %d, rejected 0, skipped %d\n", alerts, 999-alerts); code != 0 || out != want || said != "" {
		t.Errorf("mended: %d, %s said %s want %s", code, out, said, want)
	}
	t.Logf("%d alerts among 1,000 lines, in %d requests of each run", alerts, len(d.requests)/3)
}

// TestRaiseEnds: how each run ends, for the shell and for the reader.
func TestRaiseEnds(t *testing.T) {
	const good = `{"behaviorModel":"m","summary":"s"}` + "\n"
	for _, test := range []struct {
		name, in, file  string
		h               http.Handler
		code            int
		wantOut, wantEr string
	}{
		{"nothing to do", "\n\n", "", &desk{}, 0, "accepted 0, repeated 0, rejected 0, skipped 0\n", "<nil>"},
		{"all taken", good + good, "", &desk{}, 0, "accepted 2, repeated 0, rejected 0, skipped 0\n", "<nil>"},
		{"standard input", good, "-", &desk{}, 0, "accepted 1, repeated 0, rejected 0, skipped 0\n", "<nil>"},
		{"a line rejected", good + "{}\n", "-", &desk{}, 1, "accepted 1, repeated 0, rejected 1 (line 2), skipped 0\n", "-:2: behaviorModel: is missing; give some text\n"},
		{
			"a server that is no Tocsin", good, "", http.NotFoundHandler(), 1, "accepted 0, repeated 0, rejected 0, skipped 0\n",
			"stopped after 0 alerts: http://127.0.0.1",
		},
		{
			"many lines rejected", strings.Repeat("{}\n", 25), "", &desk{}, 1,
			"accepted 0, repeated 0, rejected 25 (line 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 and 5 more), skipped 0\n", "FILE:1: ",
		},
	} {
		code, out, said := raise(t, test.h, Raise{Format: "tocsin", File: test.file}, test.in)
		if code != test.code || out != test.wantOut || !strings.HasPrefix(said, test.wantEr) {
			t.Errorf("%s: %d, %q, %q", test.name, code, out, said)
		}
	}
}

// TestRaiseInterrupted: an interruption ends a run while the server does not
// answer and while the input does not go on, and says that a repeat is harmless.
func TestRaiseInterrupted(t *testing.T) {
	asked := make(chan struct{})
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		once.Do(func() { close(asked) })
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	in, write := io.Pipe()
	defer write.Close()
	go func() {
		fmt.Fprintln(write, `{"behaviorModel":"m","summary":"s"}`)
		<-asked
		cancel()
	}()
	r := Raise{Server: Server{URL: server.URL, TokenFile: tokenFile(t)}, Format: "tocsin", RetryFor: time.Minute, File: "-"}
	var out bytes.Buffer
	err := r.Run(ctx, IO{In: in, Out: &out, Err: io.Discard})
	if codeOf(err) != 130 || err.Error() != "interrupted after 0 alerts; run the same again: alerts that were taken then count as repeated" {
		t.Errorf("ended with %d, %v", codeOf(err), err)
	}
	if out.String() != "accepted 0, repeated 0, rejected 0, skipped 0\n" {
		t.Errorf("printed %q", &out)
	}
}

// TestWrongCommandLine: what the user got wrong ends with 2, before anything is sent.
func TestWrongCommandLine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := write("token", secret)
	t.Setenv("TOCSIN_TOKEN", "")
	for _, test := range []struct {
		server     Server
		file, want string
	}{
		{Server{URL: "tocsin.example.org", TokenFile: token}, "-", "--server: is not an address; give one such as https://tocsin.example.org"},
		{Server{URL: "ftp://tocsin.example.org", TokenFile: token}, "-", "--server: is not an address"},
		{Server{URL: "https://me:pw-of-mine@tocsin.example.org", TokenFile: token}, "-", "--server: holds a password; leave it out"},
		{Server{URL: "http://127.0.0.1:1"}, "-", "no token; set TOCSIN_TOKEN, or name a file with --token-file"},
		{Server{URL: "http://127.0.0.1:1", TokenFile: write("blank", "\n")}, "-", "no token; set TOCSIN_TOKEN"},
		{Server{URL: "http://127.0.0.1:1", TokenFile: write("two", secret+"\n"+secret)}, "-", "--token-file: holds more than a token"},
		{Server{URL: "http://127.0.0.1:1", TokenFile: filepath.Join(dir, "none")}, "-", "--token-file: open "},
		{Server{URL: "http://127.0.0.1:1", TokenFile: token}, filepath.Join(dir, "none"), "FILE: open "},
	} {
		for name, run := range map[string]func(context.Context, IO) error{
			"raise": (&Raise{Server: test.server, Format: "tocsin", File: test.file}).Run,
			"watch": (&Watch{Server: test.server}).Run,
		} {
			if name == "watch" && test.file != "-" {
				continue
			}
			err := run(t.Context(), IO{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
			if codeOf(err) != 2 || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%s ended with %d, %v; want 2, %s", name, codeOf(err), err, test.want)
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "pw-of-mine") {
				t.Errorf("%s tells a secret: %v", name, err)
			}
		}
	}
}

// TestProgress: the bar is drawn over itself, makes way for a line, and a file
// that grows does not break it.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := progress{out: &out, on: true, total: 200}
	p.show(100, tally{accepted: 7, rejected: 1})
	p.clear()
	p.clear()
	p.show(400, tally{accepted: 9})
	want := "\r\x1b[K[===============               ]  50%  7 alerts taken, 1 lines rejected\r\x1b[K" +
		"\r\x1b[K[==============================] 100%  9 alerts taken, 0 lines rejected"
	if out.String() != want {
		t.Errorf("drawn %q, want %q", &out, want)
	}
	off := progress{out: &out}
	off.show(1, tally{})
	if out.String() != want {
		t.Error("it draws where there is no terminal")
	}
}
