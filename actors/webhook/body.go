package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"regexp"
	"strings"

	"tocsin/dispatch"
)

// own is the body that the API config asks for, filled in. In JSON the fields
// are written so that they fit between quotes; a JSON that does not come out
// right is refused rather than sent.
func (s *ConfigSettings) own(p dispatch.Parcel) (letter, error) {
	media, _, err := mime.ParseMediaType(s.ContentType)
	if err != nil || !headerValue.MatchString(s.ContentType) {
		return letter{}, errors.New("settings.contentType is not a media type; give one such as application/json")
	}
	isJSON := media == "application/json" || strings.HasSuffix(media, "+json")
	escape := func(value string) string { return value }
	if isJSON {
		escape = quoted
	}
	text, err := fill(s.Body, p, escape)
	if err != nil {
		return letter{}, fmt.Errorf("settings.body %w", err)
	}
	if isJSON && !json.Valid([]byte(text)) {
		return letter{}, errors.New(`settings.body is not JSON once it is filled in; put fields between quotes, as in {"text": "{{.Alert.Summary}}"}, or give another settings.contentType`)
	}
	return letter{map[string]string{"Content-Type": s.ContentType}, []byte(text)}, nil
}

var field = regexp.MustCompile(`\{\{[^{}]*\}\}`)

// fill renders a template field by field, so that each value can be escaped by
// itself.
func fill(template string, p dispatch.Parcel, escape func(string) string) (string, error) {
	if err := dispatch.CheckTemplate(template); err != nil {
		return "", err
	}
	var problem error
	text := field.ReplaceAllStringFunc(template, func(one string) string {
		value, err := dispatch.RenderTemplate(one, p.Alert, p.Ticket, p.TicketURL)
		if err != nil {
			problem = err
		}
		return escape(value)
	})
	return text, problem
}

// quoted is a text as it stands between the quotes of a JSON string.
func quoted(text string) string {
	out, err := encode(strings.ToValidUTF8(text, "\uFFFD"))
	if err != nil { // texts always marshal
		return ""
	}
	return string(out[1 : len(out)-1])
}
