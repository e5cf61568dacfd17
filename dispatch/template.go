package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"text/template/parse"
	"time"
)

// Most templates are texts with fields: {{.Alert.Summary}}. Rendering one takes
// no more time and memory than its text and its fields, and is done here. A
// template with logic is a program of its user and is run in the sandbox.

// CheckTemplate says what is wrong with a template. Of one with logic it looks
// at the form only: see HasLogic.
func CheckTemplate(text string) error {
	_, err := compileTemplate(text)
	if errors.Is(err, errLogic) {
		return nil
	}
	return err
}

// HasLogic tells whether a template holds more than texts and fields.
func HasLogic(text string) bool {
	_, err := compileTemplate(text)
	return errors.Is(err, errLogic)
}

// RenderTemplate fills in a checked template. A field that is absent gives an
// empty text.
func RenderTemplate(text string, a Alert, t *Ticket, ticketURL string) (string, error) {
	return renderTemplate(text, "true", a, t, ticketURL)
}

func renderTemplate(text, form string, a Alert, t *Ticket, ticketURL string) (string, error) {
	parts, err := compileTemplate(text)
	if err != nil {
		return "", err
	}
	if form == "html" {
		return renderHTML(text, parts, a, t, ticketURL)
	}
	escape := escapes[form]
	var out strings.Builder
	for _, part := range parts {
		if part.field == nil {
			out.WriteString(part.text)
			continue
		}
		out.WriteString(escape(templateValue(part.field, a, t, ticketURL)))
		if out.Len() > maxRendered {
			break
		}
	}
	return Cut(out.String(), maxRendered), nil
}

// renderHTML fills in a template of HTML: what fields hold is escaped for the
// place where it stands, be it a text, an address or a script.
func renderHTML(text string, parts []templatePart, a Alert, t *Ticket, ticketURL string) (string, error) {
	page, err := template.New("template").Parse(text)
	if err != nil {
		return "", fmt.Errorf("is not a template: %w", err)
	}
	data := map[string]any{}
	for _, part := range parts {
		if part.field != nil {
			set(data, part.field, templateValue(part.field, a, t, ticketURL))
		}
	}
	var out strings.Builder
	if err := page.Execute(&out, data); err != nil {
		return "", fmt.Errorf("cannot be filled in: %w", err)
	}
	return Cut(out.String(), maxRendered), nil
}

// set puts a value at its path.
func set(data map[string]any, path []string, value string) {
	for ; len(path) > 1; path = path[1:] {
		inner, ok := data[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			data[path[0]] = inner
		}
		data = inner
	}
	data[path[0]] = value
}

// maxRendered is the size of a rendered text, in bytes; what is over is cut
// visibly.
const maxRendered = 100 << 10

// escapes are how the values of fields are written into a form of template.
var escapes = map[string]func(string) string{
	"true": func(value string) string { return value },
	"json": inJSON,
}

// inJSON is a text as it stands between the quotes of a JSON text.
func inJSON(text string) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(strings.ToValidUTF8(text, "\uFFFD")); err != nil { // a text always can be written
		return ""
	}
	quoted := strings.TrimSuffix(out.String(), "\n")
	return quoted[1 : len(quoted)-1]
}

// templatePart is a text, or the path of a field.
type templatePart struct {
	text  string
	field []string
}

var errLogic = errors.New("holds more than texts and fields such as {{.Alert.Summary}}; functions, conditions and loops are not offered here")

func compileTemplate(text string) ([]templatePart, error) {
	tree := parse.New("template")
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(text, "{{", "}}", map[string]*parse.Tree{}); err != nil {
		return nil, fmt.Errorf("is not a template: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	if tree.Root == nil {
		return nil, nil
	}
	var parts []templatePart
	for _, node := range tree.Root.Nodes {
		switch n := node.(type) {
		case *parse.TextNode:
			parts = append(parts, templatePart{text: string(n.Text)})
		case *parse.CommentNode:
		case *parse.ActionNode:
			path, err := templateField(n)
			if err != nil {
				return nil, err
			}
			parts = append(parts, templatePart{field: path})
		default:
			return nil, errLogic
		}
	}
	return parts, nil
}

func templateField(n *parse.ActionNode) ([]string, error) {
	if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 {
		return nil, errLogic
	}
	f, ok := n.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok {
		return nil, errLogic
	}
	if isNested(f.Ident) {
		return nil, errLogic
	}
	if !knownField(f.Ident) {
		return nil, fmt.Errorf("names {{.%s}}, which does not exist; there are %s and {{.Alert.Attributes.NAME}}",
			strings.Join(f.Ident, "."), templateNames())
	}
	return f.Ident, nil
}

// templateFields are the fields that a template may name.
var templateFields = []struct {
	name  string
	value func(a Alert, t *Ticket, url string) string
}{
	{"Alert.ID", func(a Alert, _ *Ticket, _ string) string { return a.ID }},
	{"Alert.BehaviorModel", func(a Alert, _ *Ticket, _ string) string { return a.BehaviorModel }},
	{"Alert.Behavior", func(a Alert, _ *Ticket, _ string) string { return value(a.Behavior) }},
	{"Alert.Key", func(a Alert, _ *Ticket, _ string) string { return value(a.Key) }},
	{"Alert.KeyType", func(a Alert, _ *Ticket, _ string) string { return value(a.KeyType) }},
	{"Alert.Severity", func(a Alert, _ *Ticket, _ string) string { return string(a.Severity) }},
	{"Alert.RiskScore", func(a Alert, _ *Ticket, _ string) string { return number(a.RiskScore) }},
	{"Alert.Risks", func(a Alert, _ *Ticket, _ string) string { return strings.Join(a.Risks, ", ") }},
	{"Alert.Summary", func(a Alert, _ *Ticket, _ string) string { return a.Summary }},
	{"Alert.Description", func(a Alert, _ *Ticket, _ string) string { return value(a.Description) }},
	{"Alert.Source", func(a Alert, _ *Ticket, _ string) string { return value(a.Source) }},
	{"Alert.Link", func(a Alert, _ *Ticket, _ string) string { return value(a.Link) }},
	{"Alert.OccurredAt", func(a Alert, _ *Ticket, _ string) string { return a.OccurredAt.UTC().Format(time.RFC3339) }},
	{"Ticket.Number", func(_ Alert, t *Ticket, _ string) string {
		if t == nil {
			return ""
		}
		return "T-" + strconv.Itoa(t.Number)
	}},
	{"Ticket.Title", func(_ Alert, t *Ticket, _ string) string {
		if t == nil {
			return ""
		}
		return t.Title
	}},
	{"Ticket.Status", func(_ Alert, t *Ticket, _ string) string {
		if t == nil {
			return ""
		}
		return string(t.Status)
	}},
	{"Ticket.URL", func(_ Alert, _ *Ticket, url string) string { return url }},
}

func templateNames() string {
	names := make([]string, len(templateFields))
	for i, f := range templateFields {
		names[i] = "{{." + f.name + "}}"
	}
	return strings.Join(names, ", ")
}

// isNested tells of a path into the alert's own JSON.
func isNested(path []string) bool {
	return len(path) > 3 && path[0] == "Alert" && path[1] == "Attributes" || len(path) > 2 && path[0] == "Alert" && path[1] == "Payload"
}

func knownField(path []string) bool {
	if len(path) == 3 && path[0] == "Alert" && path[1] == "Attributes" {
		return true
	}
	for _, f := range templateFields {
		if f.name == strings.Join(path, ".") {
			return true
		}
	}
	return false
}

func templateValue(path []string, a Alert, t *Ticket, url string) string {
	if len(path) == 3 {
		return attribute(a, path[2])
	}
	for _, f := range templateFields {
		if f.name == strings.Join(path, ".") {
			return f.value(a, t, url)
		}
	}
	return ""
}

// attribute is an attribute as a text: a string as it is, anything else as JSON.
func attribute(a Alert, name string) string {
	var all map[string]JSON
	if json.Unmarshal(a.Attributes, &all) != nil {
		return ""
	}
	raw := all[name]
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func number(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}
