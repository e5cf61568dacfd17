package actors

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestRecipe follows the recipe of CONTRIBUTING.md: the kind that it writes
// compiles in its folder and passes its exam.
func TestRecipe(t *testing.T) {
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)`(actors/beeper/[a-z_]+\\.go)`\n\n```go\n(.*?)```").FindAllSubmatch(text, -1)
	if len(found) != 2 {
		t.Fatalf("the recipe has %d files, want the kind and its test", len(found))
	}
	dir, replace := t.TempDir(), map[string]string{}
	for _, f := range found {
		path := filepath.Join(dir, filepath.Base(string(f[1])))
		if err := os.WriteFile(path, f[2], 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, string(f[1]))] = path
	}
	overlay := filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	exam := filepath.Join(dir, "exam.test") // built apart from its run, which needs a folder that exists
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", exam, "tocsin/actors/beeper").CombinedOutput()
	if err != nil {
		t.Fatalf("the recipe's kind does not compile: %v\n%s", err, out)
	}
	sits := exec.CommandContext(t.Context(), exam, "-test.v", "-test.run=TestExam")
	sits.Dir = dir
	if out, err = sits.CombinedOutput(); err != nil || !regexp.MustCompile(`--- PASS: TestExam\b`).Match(out) {
		t.Errorf("the recipe's kind: %v\n%s", err, out)
	}
}
