package inside

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"tocsin/lambda/internal/wire"
)

// maxText is the most that a template may give, in bytes.
const maxText = 100 << 10

// render parses a template and, for the job that asks so, fills it in.
func render(job wire.Job) wire.Answer {
	p := &page{form: job.Form}
	execute, err := p.parse(job.Source)
	if err == nil && job.Do == wire.RenderTemplate {
		err = p.fill(execute, job.Data)
	}
	a := wire.Answer{Warnings: p.warnings, Fault: templateFault(err)}
	if err == nil {
		a.Text = p.out.String()
	}
	return a
}

// page is one template at work.
type page struct {
	form     string
	out      bytes.Buffer
	warnings []string
}

// parse makes the function that executes a template. Each of its actions ends
// in the page's own step, see shown.
func (p *page) parse(text string) (execute func(io.Writer, any) error, err error) {
	words := p.words()
	if p.form == "html" {
		t, err := htmltemplate.New("template").Funcs(words).Parse(text)
		if err != nil {
			return nil, err
		}
		for _, part := range t.Templates() {
			endIn(part.Tree)
		}
		return t.Execute, nil
	}
	t, err := template.New("template").Funcs(words).Parse(text)
	if err != nil {
		return nil, err
	}
	for _, part := range t.Templates() {
		endIn(part.Tree)
	}
	return t.Execute, nil
}

func (p *page) fill(execute func(io.Writer, any) error, raw json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var data any
	if err := d.Decode(&data); err != nil {
		return fmt.Errorf("read the data: %w", err)
	}
	return execute(p, plain(data))
}

// errTooMuch ends a template that gives too much.
var errTooMuch = fmt.Errorf("gives more than %d KiB", maxText>>10)

// Write takes what the template gives.
func (p *page) Write(text []byte) (int, error) {
	if p.out.Len()+len(text) > maxText {
		return 0, errTooMuch
	}
	return p.out.Write(text)
}

// plain is decoded JSON as templates know values: whole numbers compare with
// whole numbers, and what is null is not there.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner == nil {
				delete(v, key)
				continue
			}
			v[key] = plain(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = plain(inner)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	return v
}

// outlet is the name of the step in which each action ends.
const outlet = "_shown"

// endIn lets every action of a tree end in the outlet, which hears what the
// action is, so that it can say what is missing.
func endIn(tree *parse.Tree) {
	if tree == nil || tree.Root == nil {
		return
	}
	lists := []*parse.ListNode{tree.Root}
	for len(lists) > 0 {
		list := lists[len(lists)-1]
		lists = lists[:len(lists)-1]
		if list == nil {
			continue
		}
		for _, node := range list.Nodes {
			switch n := node.(type) {
			case *parse.ActionNode:
				if len(n.Pipe.Decl) == 0 {
					n.Pipe.Cmds = append(n.Pipe.Cmds, step(n))
				}
			case *parse.IfNode:
				lists = append(lists, n.List, n.ElseList)
			case *parse.RangeNode:
				lists = append(lists, n.List, n.ElseList)
			case *parse.WithNode:
				lists = append(lists, n.List, n.ElseList)
			}
		}
	}
}

func step(n *parse.ActionNode) *parse.CommandNode {
	what := short(n.Pipe.String())
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{
		parse.NewIdentifier(outlet).SetPos(n.Pos),
		&parse.StringNode{NodeType: parse.NodeString, Pos: n.Pos, Quoted: strconv.Quote(what), Text: what},
	}}
}

// shown is the value of an action as it is written: nothing where it is missing,
// with a warning; in JSON as the inside of a text, unless json() made it.
func (p *page) shown(what string, v any) any {
	if v == nil {
		if warning := "there is no " + what; !slices.Contains(p.warnings, warning) && len(p.warnings) < maxWarnings {
			p.warnings = append(p.warnings, warning)
		}
		return ""
	}
	if _, made := v.(ready); made || p.form == "html" {
		return v
	}
	text := textOf(v)
	if p.form != "json" {
		return text
	}
	quoted := encoded(strings.ToValidUTF8(text, "\uFFFD"))
	return quoted[1 : len(quoted)-1]
}

// encoded is a value as JSON, for people as for programs: < stays <.
func encoded(v any) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil { // what came as JSON can be written as JSON
		return "null"
	}
	return strings.TrimSuffix(out.String(), "\n")
}

const maxWarnings = 20

// ready is JSON that is not to be escaped.
type ready string

// textOf is a text as it is, and a list or an object as JSON.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any, []any:
		return encoded(v)
	}
	return fmt.Sprint(v)
}

var templatePlace = regexp.MustCompile(`(?s)^(?:html/)?template: ?template:(\d+)(?::(\d+))?: (?:executing "[^"]*" at )?(.*)$`)

// templateFault is an error of a template with its place.
func templateFault(err error) *wire.Fault {
	if err == nil {
		return nil
	}
	if errors.Is(err, errTooMuch) {
		return wire.Faultf("%s", errTooMuch)
	}
	m := templatePlace.FindStringSubmatch(err.Error())
	if m == nil {
		return wire.Faultf("%s", short(err.Error()))
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	return wire.Faultf("%s", short(strings.ReplaceAll(m[3], " | "+outlet, ""))).At(line, column)
}
