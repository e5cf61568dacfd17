package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/fake/webhook"
)

// fileOf is a file that holds a text.
func fileOf(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLambdaCommand: the program runs a lambda in its own workers, without a
// server, and a dry run on a server tells what that lambda does there.
func TestLambdaCommand(t *testing.T) {
	p := &program{dir: t.TempDir()}
	source := fileOf(t, "admins.ts", admins)
	config := fileOf(t, "config.json", `{"admins": ["root"], "team": "blue"}`)
	alert := fileOf(t, "alert.json", `{"behaviorModel": "Model", "summary": "Sign-in of root", "key": "root", "severity": "LOW"}`)
	out, err := p.run(t, "lambda", "test", source, "--alert", alert, "--lambda-config", config, "--lambda-deadline", "5s")
	var shown struct {
		Severity   string
		Attributes map[string]string
	}
	if err != nil || json.Unmarshal([]byte(out), &shown) != nil || shown.Severity != "CRITICAL" || shown.Attributes["team"] != "blue" {
		t.Errorf("the lambda gives %s, %v", out, err)
	}
	cases := fileOf(t, "cases.json", `[{"name": "raises", "alert": {"key": "root"}, "expect": {"severity": "CRITICAL"}},
		{"name": "breaks", "alert": {"key": "breaks"}, "expect": {}}]`)
	out, err = p.run(t, "lambda", "test", source, "--cases", cases, "--lambda-config", config, "--lambda-deadline", "5s")
	if exitCode(t, err) != 1 || !strings.HasPrefix(out, "pass raises\nFAIL breaks: line 5, column ") {
		t.Errorf("the cases give %s, %v", out, err)
	}
	if _, err := p.run(t, "lambda", "test", source, "--lambda-deadline", "1ns"); exitCode(t, err) != 1 || !strings.Contains(err.Error(), "--lambda-deadline: 1ns is outside 10ms to 10s") {
		t.Errorf("a deadline of nothing: %v", err)
	}
	if _, err := p.run(t, "lambda", "test", source, "--alert", alert, "--cases", cases); exitCode(t, err) != 2 {
		t.Errorf("an alert beside cases: %v", err)
	}

	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	started(t, hook)
	p.start(t)
	defer p.end()
	p.withLambda(hook, "STOP")
	token := p.tokenFile(t, "reader", "READ")
	out, err = p.run(t, "dry-run", "--server", p.url, "--token-file", token, "--alert", alert)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"The alert would open a ticket.\n\nTell STOP would fire (FIRED): ", `clause true: alert.severity == "LOW"  with {"alert.severity":`, "clause not looked at: alert.riskScore > 50",
		"lambda Admins STOP, version 1\n    log: looked at root\n    changed attributes: {} → {\"team\":\"blue\"}\n    changed severity: \"LOW\" → \"CRITICAL\"\n", "request through ", "NOW Sign-in of root",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the dry run does not tell %s:\n%s", want, out)
		}
	}
	out, err = p.run(t, "dry-run", "--server", p.url, "--token-file", token, "--alert", alert, "--json")
	var told struct{ Decisions []decided }
	if err != nil || json.Unmarshal([]byte(out), &told) != nil || len(told.Decisions) != 1 || told.Decisions[0].Verdict != "FIRED" {
		t.Errorf("as JSON: %s, %v", out, err)
	}
	if strings.Contains(out, signingSecret) || len(hook.Taken()) != 0 {
		t.Error("a dry run told a secret or sent something")
	}
}
