package dispatch

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type sample struct {
	URL     string            `json:"url" title:"Address" doc:"Where to send." required:"true" format:"uri"`
	Text    string            `json:"text" title:"Text" doc:"What to send." template:"true"`
	Mode    string            `json:"mode" title:"Mode" doc:"How." enum:"A,B"`
	Port    int               `json:"port" title:"Port" doc:"Which." min:"1" max:"65535"`
	To      []string          `json:"to" title:"To" doc:"Whom." max:"2"`
	Loud    bool              `json:"loud" title:"Loud" doc:"Whether."`
	Token   string            `json:"token" title:"Token" doc:"The token." secret:"true" required:"true"`
	Headers map[string]string `json:"headers" title:"Headers" doc:"Extra headers." secret:"true"`
}

var sampleDefaults = &sample{Mode: "A", Port: 443, Text: "{{.Alert.Summary}}"}

func TestFill(t *testing.T) {
	good := map[string]Secret{"token": "s3cret", "headers": `{"X-Key": "k"}`}
	filled, problems := Fill(sampleDefaults, JSON(`{"url": "https://x", "to": ["a"], "loud": true}`), good)
	if problems != nil {
		t.Fatal(problems)
	}
	want := &sample{URL: "https://x", Text: "{{.Alert.Summary}}", Mode: "A", Port: 443, To: []string{"a"}, Loud: true, Token: "s3cret", Headers: map[string]string{"X-Key": "k"}}
	if diff := cmp.Diff(want, filled); diff != "" {
		t.Error(diff)
	}
}

func TestFillRefuses(t *testing.T) {
	tests := map[string]struct {
		settings string
		secrets  map[string]Secret
		path     string
		code     UserErrorCode
	}{
		"missing":              {`{}`, nil, "settings.url", CodeRequired},
		"missing secret":       {`{"url": "x"}`, nil, "secrets.token", CodeRequired},
		"unknown":              {`{"url": "x", "nope": 1}`, nil, "settings.nope", CodeInvalid},
		"unknown secret":       {`{"url": "x"}`, map[string]Secret{"nope": "x"}, "secrets.nope", CodeInvalid},
		"a secret in the open": {`{"url": "x", "token": "t"}`, nil, "settings.token", CodeInvalid},
		"wrong type":           {`{"url": 7}`, nil, "settings.url", CodeInvalid},
		"wrong secret type":    {`{"url": "x"}`, map[string]Secret{"token": "t", "headers": "no object"}, "secrets.headers", CodeInvalid},
		"not of the enum":      {`{"url": "x", "mode": "C"}`, nil, "settings.mode", CodeInvalid},
		"too large":            {`{"url": "x", "port": 70000}`, nil, "settings.port", CodeLimitExceeded},
		"too small":            {`{"url": "x", "port": -1}`, nil, "settings.port", CodeInvalid},
		"too many":             {`{"url": "x", "to": ["a", "b", "c"]}`, nil, "settings.to", CodeLimitExceeded},
		"a field nobody knows": {`{"url": "x", "text": "{{.Alert.Weather}}"}`, nil, "settings.text", CodeInvalid},
		"no object":            {`[1]`, nil, "settings", CodeInvalid},
		"no UTF-8 text":        {`{"url": "x", "to": ["` + "\\u0000" + `"]}`, nil, "settings.to.0", CodeInvalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := Fill(sampleDefaults, JSON(tt.settings), tt.secrets)
			for _, p := range problems {
				if strings.Join(p.Path, ".") == tt.path && p.Code == tt.code {
					if strings.Contains(p.Message, "s3cret") {
						t.Errorf("the message %q holds a secret", p.Message)
					}
					return
				}
			}
			t.Errorf("problems %+v, want %s at %s", problems, tt.code, tt.path)
		})
	}
}

func TestSchema(t *testing.T) {
	var schema struct {
		Required   []string
		Properties map[string]map[string]any
	}
	if err := json.Unmarshal(Schema(sampleDefaults), &schema); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"url", "token"}, schema.Required); diff != "" {
		t.Error(diff)
	}
	if schema.Properties["token"]["writeOnly"] != true || schema.Properties["port"]["default"] != float64(443) || schema.Properties["text"]["x-template"] != true {
		t.Errorf("properties %v", schema.Properties)
	}
	if defaults := string(Defaults(sampleDefaults)); strings.Contains(defaults, "token") || !strings.Contains(defaults, `"port":443`) {
		t.Errorf("defaults %s", defaults)
	}
}

// TestSecretIsMasked: a secret prints as a mask, however it is printed.
func TestSecretIsMasked(t *testing.T) {
	s := Secret("hunter2")
	text, _ := json.Marshal(map[string]any{"s": s, "m": map[string]Secret{"x": s}, "a": Actor{Secrets: map[string]Secret{"x": s}}})
	for _, printed := range []string{string(text), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s)} {
		if strings.Contains(printed, "hunter2") {
			t.Errorf("%q shows the secret", printed)
		}
	}
}

func TestRenderTemplate(t *testing.T) {
	key := "alice{{.Alert.ID}}"
	a := Alert{ID: "alr_1", Summary: "Sign-in", Key: &key, Severity: High, Attributes: JSON(`{"ip": "10.0.0.1", "n": 5}`)}
	ticket := &Ticket{Number: 42}
	tests := map[string]struct {
		text string
		t    *Ticket
		want string
	}{
		"fields":             {"{{.Alert.Severity}}: {{ .Alert.Summary }} {{.Ticket.Number}}", ticket, "HIGH: Sign-in T-42"},
		"absent ticket":      {"[{{.Ticket.Number}}]", nil, "[]"},
		"attributes":         {"{{.Alert.Attributes.ip}}/{{.Alert.Attributes.n}}/{{.Alert.Attributes.no}}", nil, "10.0.0.1/5/"},
		"not rendered twice": {"{{.Alert.Key}}", nil, key},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := RenderTemplate(tt.text, a, tt.t, "")
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

type page struct {
	HTML string `json:"html" title:"HTML" doc:"What to show." template:"html"`
}

// TestRenderHTML: what an alert holds is text in a template of HTML, and never
// a tag.
func TestRenderHTML(t *testing.T) {
	a := Alert{Summary: `<img src="https://evil.example/x"> & 'co'`}
	got, problems := RenderSettings(&page{}, JSON(`{"html": "<b>{{.Alert.Summary}}</b>"}`), a, nil, "")
	settings, err := Unpack(&page{}, got)
	if err != nil || problems != nil {
		t.Fatal(err, problems)
	}
	want := `<b>&lt;img src=&#34;https://evil.example/x&#34;&gt; &amp; &#39;co&#39;</b>`
	if html := settings.(*page).HTML; html != want {
		t.Errorf("rendered %s, want %s", html, want)
	}
}

// TestRenderHTMLPlace: a value is escaped for where it stands.
func TestRenderHTMLPlace(t *testing.T) {
	a := Alert{Attributes: JSON(`{"url": "javascript:alert(1)", "to": "https://x.example/?a=1&b=2"}`)}
	got, problems := RenderSettings(&page{}, JSON(`{"html": "<a href='{{.Alert.Attributes.url}}'>a</a><a href='{{.Alert.Attributes.to}}'>{{.Alert.Key}}</a>"}`), a, nil, "")
	settings, err := Unpack(&page{}, got)
	if err != nil || problems != nil {
		t.Fatal(err, problems)
	}
	if html := settings.(*page).HTML; html != `<a href='#ZgotmplZ'>a</a><a href='https://x.example/?a=1&amp;b=2'></a>` {
		t.Errorf("rendered %s", html)
	}
}

// TestRenderBroken: a template that does not render falls back to the default
// text, and the problem is told.
func TestRenderBroken(t *testing.T) {
	got, problems := RenderSettings(&sample{Text: "otherwise"}, JSON(`{"text": "seen {{.Alert.Weather}}"}`), Alert{}, nil, "")
	settings, err := Unpack(&sample{Text: "otherwise"}, got)
	if err != nil || len(problems) != 1 {
		t.Fatal(err, problems)
	}
	if text := settings.(*sample).Text; text != "otherwise" {
		t.Errorf("sent as %q", text)
	}
}

// TestTemplateStaysSmall: a short template cannot swell without bound.
func TestTemplateStaysSmall(t *testing.T) {
	a := Alert{Attributes: JSON(`{"a": "` + strings.Repeat("x", 500_000) + `"}`)}
	got, err := RenderTemplate(strings.Repeat("{{.Alert.Attributes.a}}", 800), a, nil, "")
	if err != nil || len(got) > maxRendered || !strings.HasSuffix(got, "[cut]") {
		t.Errorf("rendered %d bytes, %v", len(got), err)
	}
}

func FuzzCheckTemplate(f *testing.F) {
	for _, seed := range []string{"{{.Alert.Summary}}", "{{", "{{range .}}{{end}}", "{{/* c */}}", "{{.Alert.Attributes.x}}", "{{template \"x\"}}", "{{$x := 1}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckTemplate(text) != nil || HasLogic(text) {
			return
		}
		if _, err := RenderTemplate(text, Alert{}, nil, ""); err != nil {
			t.Errorf("%q passed the check and failed to render: %v", text, err)
		}
	})
}

// TestDefaultsAreNotShared: filling in one API config changes no other one.
func TestDefaultsAreNotShared(t *testing.T) {
	type listed struct {
		Names []string          `json:"names" title:"Names" doc:"Names."`
		Table map[string]string `json:"table" title:"Table" doc:"Table."`
	}
	defaults := &listed{Names: []string{"a", "b"}, Table: map[string]string{"x": "1"}}
	if _, problems := Fill(defaults, JSON(`{"names": ["c"], "table": {"x": "2"}}`), nil); problems != nil {
		t.Fatal(problems)
	}
	if _, err := Unpack(defaults, JSON(`{"names": ["d"], "table": {"x": "3"}}`)); err != nil {
		t.Fatal(err)
	}
	if defaults.Names[0] != "a" || defaults.Table["x"] != "1" {
		t.Errorf("the defaults are %+v by now", defaults)
	}
}

// FuzzFill: settings are anybody's JSON; they are taken or refused, and what was
// taken comes out again as it went in.
func FuzzFill(f *testing.F) {
	for _, seed := range []string{`{"url": "x", "port": 1}`, `{"to": ["a"]}`, `[1]`, `{"port": 1e99}`, `{"url": null}`, `{"text": "{{.Alert.Summary}}"}`, "{", `{"to": {"a": 1}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filled, problems := Fill(&sample{}, JSON(text), nil)
		if len(problems) > 0 {
			return
		}
		again, problems := Fill(&sample{}, Defaults(filled), nil)
		if len(problems) > 0 || !reflect.DeepEqual(filled, again) {
			t.Errorf("%s was taken, and came out as %+v, then %+v (%v)", text, filled, again, problems)
		}
	})
}
