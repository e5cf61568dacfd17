package server_test

import (
	"os/exec"
	"path"
	"strings"
	"testing"
)

// TestFloorPlan holds who may import whom: the hub imports no other room, a
// spoke imports the hub and its own sub-rooms, no actor imports another, and
// generated code stays behind internal.
func TestFloorPlan(t *testing.T) {
	for _, p := range packages(t) {
		if name := path.Base(p.path); (name == "gen" || strings.HasPrefix(name, "sqlc")) && !strings.Contains(p.path, "/internal/") {
			t.Errorf("tocsin/%s: generated code belongs behind internal/", p.path)
		}
		for _, imported := range p.imports {
			if !mayImport(p.path, imported) {
				t.Errorf("tocsin/%s must not import tocsin/%s", p.path, imported)
			}
		}
	}
}

// mayImport is the floor plan. Both paths are relative to the module, and the
// program's door is the empty path.
func mayImport(from, to string) bool {
	room, _, _ := strings.Cut(from, "/")
	door, _, _ := strings.Cut(to, "/")
	switch {
	case room == "":
		return door == "server" || door == "cli" || to == "lambda" // its Inside comes before all
	case room == "server" || room == "bench":
		return true
	case room == "actors" && door == "actors":
		return from == "actors" || strings.HasPrefix(to, "actors/internal/") || actor(from) == actor(to)
	default:
		return door == room || door == "dispatch" && room != "dispatch"
	}
}

// actor is the folder below actors/ that a package belongs to.
func actor(pkg string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(pkg, "actors/"), "/")
	return kind
}

type pkg struct {
	path    string
	imports []string
}

// packages lists the module's packages with what they import of each other;
// imports of tests are free.
func packages(t *testing.T) []pkg {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for line := range strings.Lines(string(out)) {
		paths := strings.Fields(line)
		p := pkg{path: inModule(paths[0])}
		for _, imported := range paths[1:] {
			if strings.HasPrefix(imported, "tocsin/") {
				p.imports = append(p.imports, inModule(imported))
			}
		}
		all = append(all, p)
	}
	return all
}

func inModule(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, "tocsin"), "/")
}
