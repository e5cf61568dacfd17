package actors_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"tocsin/actors"
	"tocsin/dispatch"
)

// TestEveryFolderHangsOnTheBoard: a kind that was forgotten in All is named.
func TestEveryFolderHangsOnTheBoard(t *testing.T) {
	rooms := []string{"guard", "internal"} // no kinds
	var names []string
	for _, k := range actors.All() {
		names = append(names, k.Name)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(rooms, e.Name()) && !slices.Contains(names, e.Name()) {
			t.Errorf("actors/%s does not hang on the board: add %s.Kind() to All", e.Name(), e.Name())
		}
	}
}

// asked is the one thing that an API config cannot be made without.
var asked = map[string]string{
	"email": "settings.to", "jira": "settings.project", "matrix": "settings.room", "ntfy": "settings.topic", "telegram": "settings.chat",
	"twilio": "settings.to", "zulip": "settings.channel",
}

// TestKinds: what the API shows of a kind is there and valid.
func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range actors.All() {
		if k.Name == "" || k.Title == "" || k.Description == "" || k.SetupHelp == "" || k.DefaultName == "" || k.Open == nil {
			t.Errorf("%s: name, title, description, setup help, default name or open is missing", k.Name)
		}
		for _, unique := range []string{"name " + k.Name, "default name " + k.DefaultName, "title " + k.Title} {
			if seen[unique] {
				t.Errorf("two kinds have the %s", unique)
			}
			seen[unique] = true
		}
		if !slices.Contains(k.Capabilities, dispatch.CanDeliver) {
			t.Errorf("%s cannot deliver", k.Name)
		}
		defaults := dispatch.Defaults(k.ConfigSettings)
		_, problems := dispatch.Fill(k.ConfigSettings, defaults, nil)
		problems = slices.DeleteFunc(problems, func(p dispatch.UserError) bool {
			return p.Code == dispatch.CodeRequired && asked[k.Name] == strings.Join(p.Path, ".")
		})
		if len(problems) > 0 {
			t.Errorf("%s: the defaults of an API config are refused: %v", k.Name, problems)
		}
		checkSchema(t, k.Name, dispatch.Schema(k.Settings))
		checkSchema(t, k.Name, dispatch.Schema(k.ConfigSettings))
	}
}

// checkSchema: a form can be built, so every property has its words and a type.
func checkSchema(t *testing.T, kind string, text dispatch.JSON) {
	t.Helper()
	var schema struct {
		Type       string
		Properties map[string]struct{ Type, Title, Description string }
	}
	if err := json.Unmarshal(text, &schema); err != nil || schema.Type != "object" {
		t.Errorf("%s: schema of type %q, error %v", kind, schema.Type, err)
	}
	for name, p := range schema.Properties {
		if p.Type == "" || p.Title == "" || p.Description == "" {
			t.Errorf("%s.%s: type, title or description is missing", kind, name)
		}
	}
}
