package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/lambda"
)

// wary is a lambda that drops, breaks, logs and changes.
const wary = `type Alert = { key: string | null, severity: string };
export default (alert: Alert, ctx) => {
  ctx.log("looked at", alert.key);
  if (alert.key === "scanner") return null;
  if (alert.key === "broken") throw new Error("no such luck");
  if (ctx.config.admins?.includes(alert.key)) alert.severity = "CRITICAL";
  if (ctx.ticket) alert.summary += " again, T-" + ctx.ticket.number;
  return alert;
};
`

// written makes files and gives the path of the one of that name.
func written(t *testing.T, files map[string]string) func(name string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string {
		if name == "" {
			return ""
		}
		return filepath.Join(dir, name)
	}
}

// TestTestLambda: what the author sees, and how it ends.
func TestTestLambda(t *testing.T) {
	crew := lambda.NewCrew(lambda.Options{Size: 1, Deadline: 20 * time.Second})
	defer crew.Close()
	path := written(t, map[string]string{
		"wary.ts": wary, "syntax.js": "export default (a) => {\n  return a +;\n}", "empty.js": "",
		"root.json": `{"key": "root", "severity": "LOW"}`, "scanner.json": `{"key": "scanner"}`, "broken.json": `{"key": "broken"}`,
		"wrong.json": `{"severity": "BAD"}`, "list.json": `[1]`, "null.json": "null", "two.json": "{} {}", "evil.json": `{"key": "\u001b[31m\u202e"}`,
		"admins.json": `{"admins": ["root"]}`, "ticket.json": `{"number": 42}`,
		"cases.json": `[{"name": "raises", "alert": {"key": "root"}, "expect": {"severity": "CRITICAL"}}, {"name": "drops", "alert": {"key": "scanner"}, "expect": null}]`,
		"failing.json": `[{"name": "raises", "alert": {"key": "root"}, "expect": {"severity": "CRITICAL"}}, {"name": "drops", "alert": {"key": "x"}},
			{"name": "goes on", "alert": {"key": "scanner"}, "expect": {}}, {"name": "breaks", "alert": {"key": "broken"}, "expect": {}}]`,
		"typo.json": `[{"name": "n", "alert": {}, "expected": {}}]`, "none.json": `[]`, "unnamed.json": `[{"alert": {}}]`,
	})
	for _, row := range []struct {
		name      string
		run       TestLambda
		code      int
		out, said string // parts of what is printed
	}{
		{"a sample", TestLambda{File: "wary.ts"}, 0, `"summary": "A sample"`, "log: looked at null\n"},
		{"changed", TestLambda{File: "wary.ts", Alert: "root.json", Config: "admins.json"}, 0, `"severity": "CRITICAL"`, "log: looked at root\nchanged severity: \"LOW\" → \"CRITICAL\"\n"},
		{"a ticket", TestLambda{File: "wary.ts", Ticket: "ticket.json"}, 0, `"summary": "A sample again, T-42"`, "changed summary"},
		{"dropped", TestLambda{File: "wary.ts", Alert: "scanner.json"}, 0, "null\n", "log: looked at scanner\nthe lambda dropped the alert\n"},
		{"failed", TestLambda{File: "wary.ts", Alert: "broken.json"}, 1, "", "wary.ts: line 5, column 41: Error: no such luck\n    if (alert.key === \"broken\") throw"},
		{"does not compile", TestLambda{File: "syntax.js"}, 1, "", "syntax.js: line 2, column 13: unexpected \";\"\n    return a +;\n"},
		{"empty", TestLambda{File: "empty.js"}, 2, "", "source is empty"},
		{"no file", TestLambda{File: "missing.js"}, 2, "", "FILE: open "},
		{"no alert", TestLambda{File: "wary.ts", Alert: "wrong.json"}, 2, "", "alert.severity"},
		{"no object", TestLambda{File: "wary.ts", Alert: "list.json"}, 2, "", "--alert: "},
		{"null", TestLambda{File: "wary.ts", Config: "null.json"}, 2, "", "--lambda-config: "},
		{"two values", TestLambda{File: "wary.ts", Config: "two.json"}, 2, "", "more after the first"},
		{"control characters", TestLambda{File: "wary.ts", Alert: "evil.json"}, 0, `"key": "\u001b[31m\u202e"`, "log: looked at  [31m \n"},
		{"cases pass", TestLambda{File: "wary.ts", Config: "admins.json", Cases: "cases.json"}, 0, "pass raises\npass drops\n", ""},
		{"cases fail", TestLambda{File: "wary.ts", Cases: "failing.json"}, 1, `FAIL raises: alert.severity is "MEDIUM", not "CRITICAL"
FAIL drops: it did not drop the alert
FAIL goes on: it dropped the alert
FAIL breaks: line 5, column 41: Error: no such luck`, "4 of 4 cases failed"},
		{"cases of what does not compile", TestLambda{File: "syntax.js", Cases: "cases.json"}, 1, "", "syntax.js: source cannot be used: line 2, column 13"},
		{"a misspelt case", TestLambda{File: "wary.ts", Cases: "typo.json"}, 2, "", `unknown field "expected"`},
		{"a case without a name", TestLambda{File: "wary.ts", Cases: "unnamed.json"}, 2, "", "tests.0.name is empty"},
		{"no cases", TestLambda{File: "wary.ts", Cases: "none.json"}, 2, "", "--cases: there is none"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := row.run
			r.File, r.Alert, r.Ticket, r.Config, r.Cases = path(r.File), path(r.Alert), path(r.Ticket), path(r.Config), path(r.Cases)
			var out, errs bytes.Buffer
			err := r.Run(t.Context(), IO{Out: &out, Err: &errs}, crew)
			said := errs.String()
			if err != nil {
				said += err.Error()
			}
			if codeOf(err) != row.code || !strings.Contains(out.String(), row.out) || !strings.Contains(said, row.said) {
				t.Errorf("ended with %d, printed\n%s\nsaid\n%s", codeOf(err), out.String(), said)
			}
			if row.out == "" && out.Len() > 0 {
				t.Errorf("printed %s", out.String())
			}
		})
	}
}

// An interrupt ends a lambda that does not.
func TestTestLambdaIsInterrupted(t *testing.T) {
	crew := lambda.NewCrew(lambda.Options{Size: 1, Deadline: time.Minute})
	defer crew.Close()
	path := written(t, map[string]string{"loop.js": "export default () => { for (;;); }"})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	run := TestLambda{File: path("loop.js")}
	if err := run.Run(ctx, IO{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}, crew); codeOf(err) != codeInterrupted {
		t.Error(fmt.Errorf("ended with %w", err))
	}
}
