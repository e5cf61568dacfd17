package lambda

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// sections are the parts of a document below its headings of the third level,
// the first of them all that is above.
func sections(t *testing.T, path string) []string {
	t.Helper()
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(document), "\n### ")
}

// workedLambda runs a section of docs/lambdas.md from block to block.
type workedLambda struct {
	t     *testing.T
	crew  *Crew
	trial dispatch.LambdaTrial
	ran   int
}

func (w *workedLambda) block(sort, text string) {
	switch sort {
	case "js", "ts", "js fails":
		w.trial = dispatch.LambdaTrial{Lambda: dispatch.Lambda{Source: text}}
		if err := w.crew.CheckLambda(w.t.Context(), text); err != nil {
			w.t.Error(err)
		}
	case "json config":
		w.trial.Lambda.Config = dispatch.JSON(text)
	case "json alert":
		w.trial.Alert, w.trial.Ticket = dispatch.JSON(text), nil
	case "json ticket":
		w.trial.Ticket = dispatch.JSON(text)
	case "json expect":
		w.expect(text)
	case "json cases":
		w.cases(text)
	case "text":
		if tried := w.try(); tried.Trace.Error == nil || *tried.Trace.Error != text {
			w.t.Errorf("it failed with %s, the document says\n%s", orNothing(tried.Trace.Error), text)
		}
	case "sh":
	default:
		w.t.Errorf("nothing knows what to do with ```%s", sort)
	}
}

func orNothing(text *string) string {
	if text == nil {
		return "nothing"
	}
	return *text
}

func (w *workedLambda) try() dispatch.LambdaTried {
	w.t.Helper()
	w.ran++
	tried, err := w.trial.Run(w.t.Context(), w.crew)
	if err != nil {
		w.t.Fatal(err)
	}
	return tried
}

// expect compares the fields that are named with those that came out.
func (w *workedLambda) expect(text string) {
	w.t.Helper()
	tried := w.try()
	if tried.Trace.Error != nil {
		w.t.Fatal(*tried.Trace.Error)
	}
	var want, got map[string]any
	decode(w.t, text, &want)
	if tried.Output != nil {
		decode(w.t, string(tried.Output), &got)
	}
	if (want == nil) != tried.Dropped {
		w.t.Fatalf("dropped: %v; the document says %s", tried.Dropped, text)
	}
	for field := range got {
		if _, named := want[field]; !named {
			delete(got, field)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("what comes out (-document +lambda):\n%s", diff)
	}
}

func (w *workedLambda) cases(text string) {
	w.t.Helper()
	decode(w.t, text, &w.trial.Lambda.Tests)
	wrong, err := w.trial.Cases(w.t.Context(), w.crew)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, words := range wrong {
		w.ran++
		if words != "" {
			w.t.Errorf("%s: %s", w.trial.Lambda.Tests[i].Name, words)
		}
	}
}

// The lambdas of the document give what it says they do.
func TestDocumentedLambdas(t *testing.T) {
	c := crew(t, Options{Size: 1})
	all := sections(t, "../docs/lambdas.md")
	if len(all) < 11 {
		t.Errorf("found %d worked cases", len(all)-1)
	}
	for _, section := range all {
		title, _, _ := strings.Cut(section, "\n")
		t.Run(title, func(t *testing.T) {
			w := &workedLambda{t: t, crew: c}
			for _, found := range block.FindAllStringSubmatch(section, -1) {
				w.block(found[1], strings.TrimRight(found[2], "\n"))
			}
			if w.ran == 0 {
				t.Error("nothing was run")
			}
		})
	}
}

// The table of the document tells each field of an alert, and whether it can be
// changed.
func TestDocumentTellsAllFields(t *testing.T) {
	c := crew(t, Options{Size: 1})
	tried, err := dispatch.LambdaTrial{Lambda: dispatch.Lambda{Source: "export default (alert) => alert"}}.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	decode(t, string(tried.Output), &fields)
	top := sections(t, "../docs/lambdas.md")[0]
	for field, value := range fields {
		change := "export default (alert) => ({ " + field + ": " + other(field, value) + " })"
		tried, err := dispatch.LambdaTrial{Lambda: dispatch.Lambda{Source: change}}.Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for line := range strings.Lines(top) {
			if strings.HasPrefix(line, "|") && strings.Contains(line, "`"+field+"`") {
				said = strings.TrimSpace(line[:len(line)-2])
				said = said[strings.LastIndex(said, " ")+1:]
				break
			}
		}
		if can := map[bool]string{true: "yes", false: "no"}[tried.Trace.Error == nil && tried.Trace.Changed]; said != can {
			t.Errorf("%s can be changed: %s; the document says %q (%s)", field, can, said, orNothing(tried.Trace.Error))
		}
	}
}

// other is a good value that a field of a sample does not have.
func other(field string, value json.RawMessage) string {
	switch {
	case field == "severity":
		return `"LOW"`
	case field == "link":
		return `"https://example.com"`
	case field == "riskScore":
		return "7"
	case field == "payload", value[0] == '{':
		return `{"a": 1}`
	case value[0] == '[':
		return `["a"]`
	}
	return `"another"`
}
