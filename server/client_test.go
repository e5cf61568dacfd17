package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
