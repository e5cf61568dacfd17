package dispatch

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/templates.md tells every field, and its examples have the data that
// templates are given.
func TestDocumentedTemplateFields(t *testing.T) {
	document, err := os.ReadFile("../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?ms)^```json data\n(.*?)^```$").FindSubmatch(document)
	if found == nil {
		t.Fatal("the document has no data")
	}
	var told, given map[string]map[string]JSON
	if err := json.Unmarshal(found[1], &told); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(templateData(Alert{Attributes: JSON("{}")}, &Ticket{}, ""), &given); err != nil {
		t.Fatal(err)
	}
	for noun, fields := range given {
		var names, documented []string
		for name := range fields {
			names = append(names, name)
			if !strings.Contains(string(document), "`."+noun+"."+name) {
				t.Errorf("the document does not tell of .%s.%s", noun, name)
			}
		}
		for name := range told[noun] {
			documented = append(documented, name)
		}
		slices.Sort(names)
		slices.Sort(documented)
		if !slices.Equal(names, documented) {
			t.Errorf("the data of %s in the document have %v, templates are given %v", noun, documented, names)
		}
	}
}
