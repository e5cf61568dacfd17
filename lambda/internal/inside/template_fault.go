package inside

import (
	"errors"
	htmltemplate "html/template"
	"regexp"
	"strconv"
	"strings"

	"tocsin/lambda/internal/wire"
)

var (
	faultAt   = regexp.MustCompile(`^(?:html/)?template: ?` + templateName + `:(\d+)(?::(\d+))?: (?s:(.*))$`)
	executing = regexp.MustCompile(`^executing "[^"]*" at <(?s:.*?)>: `)
	calling   = regexp.MustCompile(`^error calling [a-z_]+: `)
	quoted    = regexp.MustCompile(`"([^"]+)"|<([^>]+)>|(\$\w*)`)
)

// templateFault says what is wrong with a template, and where. Go's parser names
// the line alone; the column then is that of the word it names, or of the
// line's first braces.
func templateFault(source string, err error) *wire.Fault {
	if err == nil {
		return nil
	}
	if errors.Is(err, errTooLong) {
		return wire.Faultf("%v", errTooLong)
	}
	m := faultAt.FindStringSubmatch(err.Error())
	if m == nil {
		return wire.Faultf("%s", short(strings.TrimPrefix(err.Error(), "html/template: ")))
	}
	line, _ := strconv.Atoi(m[1]) // digits
	text := m[3]
	for _, noise := range []*regexp.Regexp{executing, calling} {
		text = strings.TrimPrefix(text, noise.FindString(text))
	}
	fault := wire.Faultf("%s", short(templateMeaning(err, text)))
	column, counted := strconv.Atoi(m[2])
	if counted != nil || inserted(err) {
		return fault.At(line, guessed(source, line, text))
	}
	return fault.At(line, characters(source, line, column))
}

// inserted tells that the error came of html/template, whose columns are those of
// the steps that it put in itself.
func inserted(err error) bool {
	var refused *htmltemplate.Error
	return errors.As(err, &refused)
}

func templateMeaning(err error, text string) string {
	var refused *htmltemplate.Error
	if errors.As(err, &refused) && refused.ErrorCode == htmltemplate.ErrPredefinedEscaper {
		return "values are escaped by themselves here; leave html and urlquery out"
	}
	return text
}

func guessed(source string, line int, message string) int {
	lines := strings.Split(source, "\n")
	if line < 1 || line > len(lines) {
		return 0
	}
	text := lines[line-1]
	at := strings.Index(text, "{{")
	for _, word := range quoted.FindAllStringSubmatch(message, -1) {
		if found := strings.LastIndex(text, word[1]+word[2]+word[3]); found >= 0 {
			at = found
			break
		}
	}
	return len([]rune(text[:max(at, 0)]))
}
