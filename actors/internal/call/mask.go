package call

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Mask replaces secrets in texts, as they are and as they look in a URL, in
// JSON, quoted by Go and in base64. The zero Mask replaces nothing.
type Mask struct{ replacer *strings.Replacer }

const stars = "********"

// minSecret is the length below which a text is no secret: replacing "1" or
// "true" everywhere would hide nothing and spoil the record.
const minSecret = 6

// Hide makes a mask of secrets; those under six bytes are left alone.
func Hide(secrets ...string) Mask {
	var forms []string
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			forms = append(forms, looks(secret)...)
		}
	}
	// A longer form first, so that no half of it stays behind.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, stars)
	}
	if len(pairs) == 0 {
		return Mask{}
	}
	return Mask{strings.NewReplacer(pairs...)}
}

// Text is the text without the secrets.
func (m Mask) Text(text string) string {
	if m.replacer == nil {
		return text
	}
	return m.replacer.Replace(text)
}

func looks(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(strconv.Quote(secret), `"`)}
	if text, err := json.Marshal(secret); err == nil {
		forms = append(forms, strings.Trim(string(text), `"`))
	}
	for before := range 3 {
		forms = append(forms, inBase64(base64.RawStdEncoding, secret, before), inBase64(base64.RawURLEncoding, secret, before))
	}
	return forms
}

// inBase64 is the part of a base64 text that a secret fills alone, when some
// number of bytes stands before it, such as "user:" in Basic authentication.
func inBase64(encoding *base64.Encoding, secret string, before int) string {
	text := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
	first := (before*8 + 5) / 6
	last := (before + len(secret)) * 8 / 6
	return text[first:last]
}
