package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"strings"
)

// formOf is how the values of a template's fields are written.
func (f field) formOf(all []field) string {
	form := f.tag("template")
	if form != "media" {
		return form
	}
	for _, other := range all {
		if other.name == "contentType" && isJSON(other.value.String()) {
			return "json"
		}
	}
	return "true"
}

// isJSON tells of a media type whether it is JSON.
func isJSON(media string) bool {
	media, _, _ = mime.ParseMediaType(media)
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// RenderSettings fills in the templates of an API config's settings that have no
// logic; v is the kind's ConfigSettings. A template that fails falls back to the
// kind's default, and the problem is told.
func RenderSettings(v any, settings JSON, a Alert, t *Ticket, ticketURL string) (JSON, []string) {
	return renderSettings(v, settings, func(text, form string) (string, []string, error) {
		out, err := renderTemplate(text, form, a, t, ticketURL)
		return out, nil, err
	})
}

// render fills in the templates of an API config's settings, those with logic in
// the sandbox.
func (d *Desk) render(ctx context.Context, kind Kind, settings JSON, a Alert, t *Ticket, ticketURL string) (JSON, []string) {
	var data JSON // made when the first template asks for it
	return renderSettings(kind.ConfigSettings, settings, func(text, form string) (string, []string, error) {
		out, err := renderTemplate(text, form, a, t, ticketURL)
		if !errors.Is(err, errLogic) {
			return out, nil, err
		}
		if data == nil {
			data = templateData(a, t, ticketURL)
		}
		r := d.options.Sandbox.RenderTemplate(ctx, TemplateCall{Text: text, Form: form, Data: data})
		return Cut(r.Text, maxRendered), r.Warnings, r.Err
	})
}

func renderSettings(v any, settings JSON, fill func(text, form string) (string, []string, error)) (JSON, []string) {
	filled, _ := Fill(v, settings, nil)
	defaults := map[string]string{}
	for _, f := range fieldsOf(v) {
		if f.tag("template") != "" {
			defaults[f.name] = f.value.String()
		}
	}
	var problems []string
	out := map[string]any{}
	all := fieldsOf(filled)
	for _, f := range all {
		if form := f.formOf(all); form != "" {
			text, warnings, err := fill(f.value.String(), form)
			for _, w := range warnings {
				problems = append(problems, f.name+": "+w)
			}
			if err != nil {
				problems = append(problems, f.name+" fell back to the default text: "+err.Error())
				text, _, _ = fill(defaults[f.name], form) // a default has no fault
			}
			f.value.SetString(text)
		}
		out[f.name] = f.value.Interface()
	}
	text, err := json.Marshal(out)
	if err != nil {
		return settings, append(problems, "the settings cannot be kept: "+err.Error())
	}
	return text, problems
}

// templateData is what a template with logic sees. Texts that are absent are "",
// numbers that are absent null; without a ticket, Ticket is empty.
func templateData(a Alert, t *Ticket, ticketURL string) JSON {
	alert, ticket := map[string]any{}, map[string]any{}
	for _, f := range templateFields {
		noun, name, _ := strings.Cut(f.name, ".")
		if noun == "Alert" {
			alert[name] = f.value(a, t, ticketURL)
		} else if t != nil {
			ticket[name] = f.value(a, t, ticketURL)
		}
	}
	alert["RiskScore"], alert["Risks"] = a.RiskScore, a.Risks
	alert["Attributes"], alert["Payload"] = a.Attributes, a.Payload
	if t != nil {
		ticket["Severity"], ticket["AlertCount"] = t.Severity, t.AlertCount
	}
	return written(map[string]any{"Alert": alert, "Ticket": ticket})
}

// checkLogic has the sandbox look at the templates with logic that are given.
func (d *Desk) checkLogic(ctx context.Context, kind Kind, settings JSON) error {
	given := map[string]JSON{}
	if json.Unmarshal(settings, &given) != nil {
		return nil //nolint:nilerr // the change says so
	}
	var c checker
	all := fieldsOf(kind.ConfigSettings)
	for _, f := range all {
		form, text := f.formOf(all), ""
		if form == "" || json.Unmarshal(given[f.name], &text) != nil || !HasLogic(text) {
			continue
		}
		if err := d.options.Sandbox.CheckTemplate(ctx, TemplateCall{Text: text, Form: form}); err != nil {
			c.add(CodeInvalid, "settings."+f.name, "cannot be used: "+err.Error())
		}
	}
	return refused(c.problems)
}
