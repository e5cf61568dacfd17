package lambda

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// The templates of the document give what it says they do.
func TestDocumentedTemplates(t *testing.T) {
	c := crew(t, Options{Size: 1})
	var data dispatch.JSON
	all := sections(t, "../docs/templates.md")
	for _, found := range block.FindAllStringSubmatch(all[0], -1) {
		if found[1] == "json data" {
			data = dispatch.JSON(found[2])
		}
	}
	if len(all) < 6 {
		t.Errorf("found %d worked cases", len(all)-1)
	}
	for _, section := range all {
		title, _, _ := strings.Cut(section, "\n")
		t.Run(title, func(t *testing.T) {
			var got dispatch.TemplateResult
			warned := ""
			for _, found := range block.FindAllStringSubmatch(section, -1) {
				text := strings.TrimSuffix(found[2], "\n")
				switch sort, form, _ := strings.Cut(found[1], " "); sort {
				case "template":
					got = filled(t, c, dispatch.TemplateCall{Text: text, Form: orPlain(form), Data: data})
				case "text":
					if form == "warnings" {
						warned = text
					} else if diff := cmp.Diff(text, got.Text); diff != "" {
						t.Errorf("it gives (-document +template):\n%s", diff)
					}
				case "json":
				default:
					t.Errorf("nothing knows what to do with ```%s", found[1])
				}
			}
			if diff := cmp.Diff(warned, strings.Join(got.Warnings, "\n")); diff != "" {
				t.Errorf("it warns (-document +template):\n%s", diff)
			}
		})
	}
}

func filled(t *testing.T, c *Crew, call dispatch.TemplateCall) dispatch.TemplateResult {
	t.Helper()
	if err := c.CheckTemplate(t.Context(), call); err != nil {
		t.Error(err)
	}
	got := c.RenderTemplate(t.Context(), call)
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	return got
}

func orPlain(form string) string {
	if form == "" {
		return "true"
	}
	return form
}
