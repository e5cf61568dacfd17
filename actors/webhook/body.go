package webhook

import (
	"encoding/json"
	"errors"
	"mime"
	"strings"
)

// own is the body that the API config asks for, as the hub filled it in. A JSON
// that does not come out right is refused rather than sent.
func (s *ConfigSettings) own() (letter, error) {
	media, _, err := mime.ParseMediaType(s.ContentType)
	if err != nil || !headerValue.MatchString(s.ContentType) {
		return letter{}, errors.New("settings.contentType is not a media type; give one such as application/json")
	}
	if (media == "application/json" || strings.HasSuffix(media, "+json")) && !json.Valid([]byte(s.Body)) {
		return letter{}, errors.New(`settings.body is not JSON once it is filled in; put fields between quotes, as in {"text": "{{.Alert.Summary}}"}, or give another settings.contentType`)
	}
	return letter{map[string]string{"Content-Type": s.ContentType}, []byte(s.Body)}, nil
}
