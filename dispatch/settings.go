package dispatch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Settings structs are described by their tags, from which both the JSON
// Schema and the checks are made:
//
//	json:"channel"        the name; a struct's fields must be string, bool, int,
//	                      []string, map[string]string or a named string type
//	title:"Channel"       for a form
//	doc:"…"               for a form, one sentence
//	required:"true"       must be there and not empty
//	secret:"true"         goes in and never comes out (actors only)
//	template:"true"       a text with fields of the alert and the ticket, such as {{.Alert.Summary}}
//	template:"html"       the same as HTML: what the fields hold is escaped
//	template:"json"       the same inside of JSON: what the fields hold is escaped as in its texts
//	template:"media"      json where the setting contentType says so, else as it is
//	enum:"POST,PUT"       one of these
//	format:"uri"          uri, email or hostname: for a form
//	address:"true"        says where the actor talks to, as uri and hostname do:
//	                      a change of it asks for the secrets again
//	min:"1" max:"65535"   bounds of a number, of the length of a text, of the size of a list
const maxSettingsText = 20_000

// Schema is the JSON Schema 2020-12 of a settings struct; v points to its
// defaults. Secrets are marked writeOnly, templates with "x-template".
func Schema(v any) JSON {
	properties := map[string]any{}
	order := []string{}
	required := []string{}
	for _, f := range fieldsOf(v) {
		properties[f.name] = f.schema()
		order = append(order, f.name)
		if f.tag("required") == "true" {
			required = append(required, f.name)
		}
	}
	schema := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"properties": properties, "required": required, "additionalProperties": false, "x-order": order,
	}
	text, err := json.Marshal(schema)
	if err != nil { // maps of plain values always marshal
		return JSON("{}")
	}
	return text
}

// Defaults are the values of a settings struct as an object, secrets and empty
// values left out.
func Defaults(v any) JSON {
	out := map[string]any{}
	for _, f := range fieldsOf(v) {
		if f.tag("secret") != "true" && !f.value.IsZero() {
			out[f.name] = f.value.Interface()
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return JSON("{}")
	}
	return text
}

// SecretFields are the names of a settings struct's secrets.
func SecretFields(v any) []string {
	var out []string
	for _, f := range fieldsOf(v) {
		if f.tag("secret") == "true" {
			out = append(out, f.name)
		}
	}
	return out
}

// startFrom is a pointer to a copy of the defaults that v points to. Lists and
// tables are copied, too, since reading JSON writes into what is there.
func startFrom(v any) reflect.Value {
	target := reflect.New(reflect.TypeOf(v).Elem())
	target.Elem().Set(reflect.ValueOf(v).Elem())
	for i := range target.Elem().NumField() {
		switch f := target.Elem().Field(i); {
		case f.Kind() == reflect.Slice && f.Len() > 0:
			f.Set(reflect.AppendSlice(reflect.MakeSlice(f.Type(), 0, f.Len()), f))
		case f.Kind() == reflect.Map && f.Len() > 0:
			table := reflect.MakeMapWithSize(f.Type(), f.Len())
			for entry := f.MapRange(); entry.Next(); {
				table.SetMapIndex(entry.Key(), entry.Value())
			}
			f.Set(table)
		default:
		}
	}
	return target
}

// Fill makes a new settings struct of the same type as v: v's defaults, then
// the object settings, then the secrets. A problem names the field, under the
// path "settings" or "secrets".
func Fill(v any, settings JSON, secrets map[string]Secret) (any, []UserError) {
	target := startFrom(v)
	var c checker
	given := object(&c, settings)
	fields := fieldsOf(target.Interface())
	known := map[string]bool{}
	for _, f := range fields {
		known[f.name] = true
		f.fill(&c, given, secrets)
	}
	names := []string{}
	for name := range given {
		if !known[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		c.add(CodeInvalid, "settings."+name, "is not a setting of this type; leave it out")
	}
	for name := range secrets {
		if !slices.Contains(SecretFields(v), name) {
			c.add(CodeInvalid, "secrets."+name, "is not a secret of this type; leave it out")
		}
	}
	return target.Interface(), c.problems
}

// Unpack makes a settings struct of the same type as v from settings that were
// checked before and have been rendered since.
func Unpack(v any, settings JSON) (any, error) {
	target := startFrom(v)
	if err := json.Unmarshal(settings, target.Interface()); err != nil {
		return nil, fmt.Errorf("the settings do not fit this actor type: %w", err)
	}
	return target.Interface(), nil
}

func object(c *checker, text JSON) map[string]JSON {
	given := map[string]JSON{}
	if len(bytes.TrimSpace(text)) == 0 {
		return given
	}
	if err := json.Unmarshal(text, &given); err != nil {
		c.add(CodeInvalid, "settings", `is not a JSON object; give one such as {"channel": "#soc"}`)
	}
	return given
}

// field is one field of a settings struct with its place in it.
type field struct {
	reflect.StructField
	name  string
	value reflect.Value
}

func fieldsOf(v any) []field {
	s := reflect.ValueOf(v).Elem()
	out := make([]field, 0, s.NumField())
	for i := range s.NumField() {
		f := s.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out = append(out, field{f, name, s.Field(i)})
		}
	}
	return out
}

func (f field) tag(name string) string { return f.Tag.Get(name) }

func (f field) enum() []string {
	if f.tag("enum") == "" {
		return nil
	}
	return strings.Split(f.tag("enum"), ",")
}

func (f field) path() string {
	if f.tag("secret") == "true" {
		return "secrets." + f.name
	}
	return "settings." + f.name
}

func (f field) schema() map[string]any {
	s := map[string]any{"title": f.tag("title"), "description": f.tag("doc")}
	low, high := "minLength", "maxLength"
	switch f.Type.Kind() {
	case reflect.Bool:
		s["type"] = "boolean"
	case reflect.Int:
		s["type"], low, high = "integer", "minimum", "maximum"
	case reflect.Slice:
		s["type"], s["items"], low, high = "array", map[string]any{"type": "string"}, "minItems", "maxItems"
	case reflect.Map:
		s["type"], s["additionalProperties"], low, high = "object", map[string]any{"type": "string"}, "minProperties", "maxProperties"
	default:
		s["type"] = "string"
	}
	f.bounds(s, low, high)
	if format := f.tag("format"); format != "" {
		s["format"] = format
	}
	if enum := f.enum(); enum != nil {
		s["enum"] = enum
	}
	if f.tag("secret") == "true" {
		s["writeOnly"] = true
	} else if !f.value.IsZero() {
		s["default"] = f.value.Interface()
	}
	if f.tag("template") != "" {
		s["x-template"] = true
	}
	return s
}

func (f field) bounds(s map[string]any, low, high string) {
	if n, err := strconv.Atoi(f.tag("min")); err == nil {
		s[low] = n
	} else if f.tag("required") == "true" && low != "minimum" {
		s[low] = 1
	}
	if n, err := strconv.Atoi(f.tag("max")); err == nil {
		s[high] = n
	}
}

// fill sets the field from what was given and checks it.
func (f field) fill(c *checker, given map[string]JSON, secrets map[string]Secret) {
	if f.tag("secret") == "true" {
		if _, ok := given[f.name]; ok {
			c.add(CodeInvalid, "settings."+f.name, "is a secret; give it under secrets")
		}
		f.fillSecret(c, secrets)
	} else if raw, ok := given[f.name]; ok && !f.decode(c, raw) {
		return
	}
	f.check(c)
}

func (f field) fillSecret(c *checker, secrets map[string]Secret) {
	secret, ok := secrets[f.name]
	if !ok {
		return
	}
	if f.Type.Kind() == reflect.String {
		f.value.SetString(string(secret))
		return
	}
	if err := json.Unmarshal([]byte(secret), f.value.Addr().Interface()); err != nil {
		c.add(CodeInvalid, f.path(), "is not of the type that actorSchema states; give "+f.wants())
	}
}

func (f field) decode(c *checker, raw JSON) bool {
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		f.value.SetZero()
		return true
	}
	if err := json.Unmarshal(raw, f.value.Addr().Interface()); err != nil {
		c.add(CodeInvalid, f.path(), "is of the wrong type; give "+f.wants())
		return false
	}
	return true
}

func (f field) wants() string {
	switch f.Type.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list of texts"
	case reflect.Map:
		return "an object of texts"
	default:
		return "a text"
	}
}

func (f field) check(c *checker) {
	if f.value.IsZero() || (f.value.Kind() != reflect.Bool && f.size() == 0) {
		if f.tag("required") == "true" {
			c.add(CodeRequired, f.path(), "is missing; "+strings.TrimSuffix(f.tag("doc"), ".")+".")
		}
		return
	}
	f.checkBounds(c)
	for i, text := range f.texts() {
		path := f.path()
		if f.Type.Kind() == reflect.Slice {
			path = fmt.Sprintf("%s.%d", path, i)
		}
		c.optional(path, &text, maxSettingsText)
		if f.tag("template") != "" {
			if err := CheckTemplate(text); err != nil {
				c.add(CodeInvalid, path, err.Error())
			}
		}
	}
	if enum := f.enum(); enum != nil && !slices.Contains(enum, f.value.String()) {
		c.add(CodeInvalid, f.path(), "is not one of "+strings.Join(enum, ", "))
	}
}

func (f field) checkBounds(c *checker) {
	if n, err := strconv.Atoi(f.tag("min")); err == nil && f.size() < n {
		c.add(CodeInvalid, f.path(), fmt.Sprintf("is below %d; give at least that", n))
	}
	if n, err := strconv.Atoi(f.tag("max")); err == nil && f.size() > n {
		c.add(CodeLimitExceeded, f.path(), fmt.Sprintf("is above %d; give at most that", n))
	}
}

// size is what min and max bound: a number's value, a text's characters, a
// list's entries.
func (f field) size() int {
	switch f.Type.Kind() {
	case reflect.Int:
		return int(f.value.Int())
	case reflect.String:
		return utf8.RuneCountInString(f.value.String())
	case reflect.Slice, reflect.Map:
		return f.value.Len()
	default:
		return 1
	}
}

func (f field) texts() []string {
	switch f.Type.Kind() {
	case reflect.String:
		return []string{f.value.String()}
	case reflect.Slice:
		list, _ := reflect.TypeAssert[[]string](f.value)
		return list
	case reflect.Map:
		var out []string
		table, _ := reflect.TypeAssert[map[string]string](f.value)
		for key, text := range table {
			out = append(out, key, text)
		}
		return out
	default:
		return nil
	}
}
