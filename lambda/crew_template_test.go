package lambda

import (
	"slices"
	"strings"
	"testing"

	"tocsin/dispatch"
)

func templateCall(form, text string) dispatch.TemplateCall {
	return dispatch.TemplateCall{Text: text, Form: form, Data: dispatch.JSON(`{
		"Alert": {"Summary": "jdoe <script> & \"co\"", "Severity": "HIGH", "RiskScore": 87, "Key": "jdoe", "Link": null, "Risks": ["Takeover", "MFA"],
			"OccurredAt": "2026-11-22T09:30:00Z", "Attributes": {"ip": "10.1.2.3", "share": 0.25, "big": 123456789012345678901, "ports": [22, 443], "geo": {"city": "Oslo"}, "on": true}},
		"Ticket": null}`)}
}

func TestRenderTemplate(t *testing.T) {
	c := crew(t, Options{Size: 1})
	for _, row := range []struct{ form, text, want, warned string }{
		{"true", `{{.Alert.Summary}}`, `jdoe <script> & "co"`, ""},
		{"true", `{{if gt .Alert.RiskScore 80}}high{{else}}low{{end}}`, "high", ""},
		{"true", `{{if and (ge .Alert.RiskScore 86.5) (lt .Alert.Attributes.share 1) (eq .Alert.RiskScore 87.0)}}yes{{end}}`, "yes", ""},
		{"true", `{{range .Alert.Risks}}- {{.}} {{end}}{{range $i, $p := .Alert.Attributes.ports}}{{$i}}={{$p}};{{end}}`, "- Takeover - MFA 0=22;1=443;", ""},
		{"true", `{{.Alert.Risks}}; {{join "/" .Alert.Risks}}; {{.Alert.Attributes.geo}}`, `Takeover, MFA; Takeover/MFA; {"city":"Oslo"}`, ""},
		{"true", `{{.Alert.Attributes.share}} {{.Alert.Attributes.big}} {{.Alert.Attributes.on}}`, "0.25 123456789012345678901 true", ""},
		{"true", `[{{.Alert.Attributes.host}}][{{.Alert.Attributes.geo.zip.code}}][{{.Alert.Attributes.host | upper}}][{{.Alert.Attributes.host}}]`, "[][][][]", "there is no .Alert.Attributes.host|there is no .Alert.Attributes.geo.zip.code|there is no .Alert.Attributes.host | upper"},
		{"true", `[{{.Ticket.Status}}][{{.Alert.Link}}]{{with .Ticket}}ticket{{end}}{{if .Alert.Link}}link{{end}}{{if not .Ticket}}none{{end}}`, "[][]none", "there is no .Ticket.Status|there is no .Alert.Link"},
		{"true", `{{.Alert.Attributes.host | default "?"}} {{if eq .Alert.Attributes.host "x"}}x{{end}}{{if gt .Alert.Attributes.n 5}}n{{end}}{{len .Alert.Attributes.n}}`, "? 0", ""},
		{"true", `{{lower .Alert.Severity}} {{.Alert.Summary | cut 5}} {{.Alert.OccurredAt | date "02.01.2006 15:04"}}`, "high jdoe… 22.11.2026 09:30", ""},
		{"true", `{{index .Alert.Attributes "ip"}} {{index .Alert.Risks 1}} {{slice .Alert.Key 0 2}} {{printf "%05d %s %.2f" .Alert.RiskScore .Alert.Key .Alert.Attributes.share}} {{print .Alert.Key "-" 1}}`, "10.1.2.3 MFA jd 00087 jdoe 0.25 jdoe-1", ""},
		{"true", `{{define "row"}}<{{.}}>{{end}}{{range .Alert.Risks}}{{template "row" .}}{{end}}{{block "b" .Alert}}{{.Key}}{{end}}`, "<Takeover><MFA>jdoe", ""},
		{"true", `{{html .Alert.Summary}} {{urlquery .Alert.Summary}} {{js "a'b"}}`, `jdoe &lt;script&gt; &amp; &#34;co&#34; jdoe+%3Cscript%3E+%26+%22co%22 a\'b`, ""},
		{"true", ``, "", ""},
		{"html", ``, "", ""},
		{"html", `{{define "a"}}x{{end}}`, "", ""},
		{"true", `{{define "a"}}x{{end}}`, "", ""},
		{"true", `{{$x := .Alert.Key}}{{$x}}{{/* nothing */}}`, "jdoe", ""},
		{"html", `<p>{{.Alert.Summary}}</p><a href="https://x/?q={{.Alert.Summary}}">{{.Alert.Attributes.host}}</a>`, `<p>jdoe &lt;script&gt; &amp; &#34;co&#34;</p><a href="https://x/?q=jdoe%20%3cscript%3e%20%26%20%22co%22"></a>`, "there is no .Alert.Attributes.host"},
		{"html", `<a href="{{.Alert.Attributes.u | default "javascript:alert(1)"}}">`, `<a href="#ZgotmplZ">`, ""},
		{"json", `{"text": "{{.Alert.Summary}}", "n": {{.Alert.RiskScore}}, "all": {{json .Alert.Attributes.geo}}, "x": "{{.Ticket.Status}}"}`, `{"text": "jdoe <script> & \"co\"", "n": 87, "all": {"city":"Oslo"}, "x": ""}`, "there is no .Ticket.Status"},
		{"true", `{{json .Alert.Link}}{{json .Alert.Attributes.ports}}`, "null[22,443]", ""},
	} {
		t.Run(row.text, func(t *testing.T) {
			if err := c.CheckTemplate(t.Context(), templateCall(row.form, row.text)); err != nil {
				t.Errorf("the check says %v", err)
			}
			r := c.RenderTemplate(t.Context(), templateCall(row.form, row.text))
			if r.Err != nil || r.Text != row.want {
				t.Errorf("got %v\n%s\nwant\n%s", r.Err, r.Text, row.want)
			}
			if warned := strings.Join(r.Warnings, "|"); warned != row.warned {
				t.Errorf("warned of %s, want %s", warned, row.warned)
			}
		})
	}
}

func TestTemplateThatCannotBeUsed(t *testing.T) {
	c := crew(t, Options{Size: 1})
	for _, row := range []struct {
		form, text, want string
		later            bool // found by a rendering only
	}{
		{form: "true", text: "a\n{{if}}b{{end}}", want: "line 2, column 1: missing value for if"},
		{form: "true", text: "a\nb {{.Alert.Key | shout}}", want: "line 2, column 18: function \"shout\" not defined\n  b {{.Alert.Key | shout}}\n                   ^"},
		{form: "true", text: "{{range .Alert.Risks}}", want: "line 1, column 1: unexpected EOF"},
		{form: "true", text: "{{$x}}", want: `line 1, column 3: undefined variable "$x"`},
		{form: "true", text: "{{call .Alert.Key}}", want: `function "call" not defined`},
		{form: "true", text: "{{env \"HOME\"}}", want: `function "env" not defined`},
		{form: "true", text: "{{show_value \"a\" 1}}", want: `function "show_value" not defined`},
		{form: "true", text: "x\n  {{index .Alert.Risks 7}}", want: "line 2, column 5: ", later: true},
		{form: "true", text: "{{.Alert.Key | date \"2006\"}}", want: `line 1, column 16: "jdoe" is not a time`, later: true},
		{form: "true", text: "{{printf \"%1000000000d\" 1}}", want: "the width 1000000000 is over 1000", later: true},
		{form: "true", text: "{{printf \"%*d\" 1000000000 1}}", want: "not as *", later: true},
		{form: "true", text: "{{lt .Alert.Key 5}}", want: "cannot be compared", later: true},
		{form: "true", text: "{{range $i, $x := .Alert.Risks}}{{range 20000}}abcdefghij{{end}}{{end}}", want: "gives more than 100 KiB", later: true},
		{form: "true", text: "{{template \"other\"}}", want: `"other"`, later: true},
		{form: "html", text: "<a href='{{if .Alert.Key}}x'{{end}}>", want: "line 1, column"},
		{form: "html", text: "<p>{{html .Alert.Key}}", want: "leave html and urlquery out"},
	} {
		t.Run(row.text, func(t *testing.T) {
			checked := c.CheckTemplate(t.Context(), templateCall(row.form, row.text))
			if (checked == nil) != row.later {
				t.Errorf("the check says %v", checked)
			}
			r := c.RenderTemplate(t.Context(), templateCall(row.form, row.text))
			if r.Err == nil || r.Text != "" || !strings.Contains(r.Err.Error(), row.want) {
				t.Errorf("got %s and\n%v\nwant\n%s", r.Text, r.Err, row.want)
			}
		})
	}
}

// What is missing is told once, in the order of the text.
func TestWarningsAreBounded(t *testing.T) {
	c := crew(t, Options{Size: 1})
	r := c.RenderTemplate(t.Context(), templateCall("true", `{{range 1000}}{{$.a}}{{end}}`))
	if r.Err != nil || !slices.Equal(r.Warnings, []string{"there is no $.a"}) {
		t.Errorf("got %v, %v", r.Warnings, r.Err)
	}
}
