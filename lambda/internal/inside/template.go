package inside

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	texttemplate "text/template"
	"text/template/parse"

	"tocsin/lambda/internal/wire"
)

const (
	maxRendered = 100 << 10 // bytes, of a whole text and of each value in it
	maxTemplate = 100 << 10 // bytes of its source
)

var errTooLong = fmt.Errorf("gives more than %d KiB", maxRendered>>10)

// The forms of a template, as dispatch.TemplateCall names them.
const (
	formHTML = "html"
	formJSON = "json"
)

// render fills in a template, or only looks at it when the job is a check.
func render(job wire.Job) wire.Answer {
	if len(job.Source) > maxTemplate {
		return wire.Answer{Fault: wire.Faultf("the template has %d bytes; it has at most %d KiB", len(job.Source), maxTemplate>>10)}
	}
	s := &show{form: job.Form, told: map[string]bool{}}
	t, err := compileTemplate(job.Source, s)
	if err != nil {
		return wire.Answer{Fault: templateFault(job.Source, err)}
	}
	if job.Do == wire.CheckTemplate {
		return wire.Answer{Fault: templateFault(job.Source, escapable(t, job.Form))}
	}
	data, err := decodeData(job.Data)
	if err != nil {
		return wire.Answer{Fault: wire.Faultf("%v", err)}
	}
	var out bounded
	err = t.Execute(&out, data)
	return wire.Answer{Text: out.String(), Warnings: s.warnings, Fault: templateFault(job.Source, err)}
}

// executable is a template of text/template or of html/template.
type executable interface {
	Execute(w io.Writer, data any) error
}

// compileTemplate parses a template and puts a last step behind each value,
// which writes it as its form wants.
func compileTemplate(source string, s *show) (executable, error) {
	words := s.words()
	last := words[showName]
	delete(words, showName) // nobody else may name it
	trees, err := parse.Parse(templateName, source, "", "", words, builtins)
	if err != nil {
		return nil, err
	}
	words[showName] = last
	for _, tree := range trees {
		s.appended(tree.Root)
	}
	if s.form == formHTML {
		return htmlTemplate(trees, words)
	}
	t := texttemplate.New(templateName).Funcs(words)
	for name, tree := range trees {
		if _, err := t.AddParseTree(name, tree); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func htmlTemplate(trees map[string]*parse.Tree, words map[string]any) (executable, error) {
	t := htmltemplate.New(templateName).Funcs(words)
	for name, tree := range trees {
		if _, err := t.AddParseTree(name, tree); err != nil {
			return nil, err
		}
	}
	return t.Lookup(templateName), nil
}

// escapable finds what html/template refuses, which it does when a template is
// first executed. What else goes wrong without data says nothing.
func escapable(t executable, form string) error {
	if form != formHTML {
		return nil
	}
	var refused *htmltemplate.Error
	if err := t.Execute(&bounded{}, map[string]any{}); errors.As(err, &refused) {
		return err
	}
	return nil
}

// bounded is a text that grows up to its limit.
type bounded struct{ bytes.Buffer }

// Write takes what fits, else nothing.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxRendered {
		return 0, errTooLong
	}
	return b.Buffer.Write(p)
}

// show is the last step of each value, and keeps what it found missing.
type show struct {
	form     string
	told     map[string]bool
	warnings []string
}

const (
	showName     = "show_value" // of the step, in the trees
	templateName = "template"
	maxWarnings  = 20
)

// appended goes through a tree and puts the last step behind each value that is
// written out.
func (s *show) appended(n *parse.ListNode) {
	if n == nil {
		return
	}
	for _, inner := range n.Nodes {
		switch inner := inner.(type) {
		case *parse.ActionNode:
			if len(inner.Pipe.Decl) == 0 {
				inner.Pipe.Cmds = append(inner.Pipe.Cmds, s.step(inner.Pipe))
			}
		case *parse.IfNode:
			s.both(&inner.BranchNode)
		case *parse.RangeNode:
			s.both(&inner.BranchNode)
		case *parse.WithNode:
			s.both(&inner.BranchNode)
		}
	}
}

func (s *show) both(n *parse.BranchNode) {
	s.appended(n.List)
	s.appended(n.ElseList)
}

// step is the command | show_value "what the author wrote".
func (s *show) step(pipe *parse.PipeNode) *parse.CommandNode {
	written := pipe.String()
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pipe.Pos, Args: []parse.Node{
		parse.NewIdentifier(showName).SetPos(pipe.Pos),
		&parse.StringNode{NodeType: parse.NodeString, Pos: pipe.Pos, Quoted: fmt.Sprintf("%q", written), Text: written},
	}}
}

// show writes a value as a text of its form. What is missing is an empty text
// and a warning, once for each place's words.
func (s *show) show(written string, v any) (any, error) {
	if missing(v) {
		if !s.told[written] && len(s.warnings) < maxWarnings {
			s.told[written] = true
			s.warnings = append(s.warnings, "there is no "+short(written))
		}
		return "", nil
	}
	if raw, ok := v.(rawJSON); ok && s.form == formJSON {
		return string(raw), nil
	}
	text, err := plain(v)
	if err != nil {
		return nil, err
	}
	if s.form == formJSON {
		text = insideJSON(text)
	}
	if len(text) > maxRendered {
		return nil, errTooLong
	}
	return text, nil
}

// insideJSON is a text as it stands between the quotes of a JSON text.
func insideJSON(text string) string {
	quoted, err := compact(text)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(quoted, `"`), `"`)
}
