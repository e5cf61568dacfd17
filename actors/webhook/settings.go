package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"tocsin/dispatch"
)

// Settings are those of a webhook actor.
type Settings struct {
	URL           string            `json:"url" title:"URL" doc:"Give the web address that takes the alerts" required:"true" format:"uri" max:"2000"`
	Method        string            `json:"method" title:"Method" doc:"Give POST or PUT" required:"true" enum:"POST,PUT"`
	SigningSecret dispatch.Secret   `json:"signingSecret" title:"Signing secret" doc:"whsec_ and 24 to 64 bytes in base64; without it requests are not signed" secret:"true"`
	Headers       map[string]string `json:"headers" title:"Headers" doc:"Sent with every request, such as Authorization" secret:"true" max:"30"`
}

// ConfigSettings are those of a webhook API config.
type ConfigSettings struct {
	EventType string `json:"eventType" title:"Event type" doc:"Give the type that the receiver looks at, words joined by dots" required:"true" max:"100"`
}

const secretPrefix = "whsec_"

// signingKey is the key in a secret; nil when there is none.
// Source: Standard Webhooks, "Signature scheme": 24 to 64 bytes.
func signingKey(secret string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || !strings.HasPrefix(secret, secretPrefix) || len(key) < 24 || len(key) > 64 {
		return nil, dispatch.Refuse(dispatch.CodeInvalid, "secrets.signingSecret",
			"is not whsec_ and 24 to 64 bytes in base64; make one with: echo whsec_$(openssl rand -base64 32)")
	}
	return key, nil
}

// sign is the v1 signature of a message.
func sign(key []byte, id, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(id + "." + timestamp + ".")) // a hash takes everything
	_, _ = h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// ours are the headers that the transport or the signature needs.
var ours = []string{
	"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection",
	"Te", "Trailer", "Upgrade", "Expect", "Accept-Encoding",
}

var (
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // token of RFC 9110, section 5.6.2
	headerValue = regexp.MustCompile(`^[\t\x20-\x7e\x80-\xff]*$`)
)

func checkHeaders(headers map[string]string) error {
	for name, value := range headers {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		var problem string
		switch {
		case !headerName.MatchString(name):
			problem = "has a name that HTTP does not allow; use letters, digits and hyphens"
		case slices.Contains(ours, canonical) || strings.HasPrefix(canonical, "Webhook-"):
			problem = "sets " + canonical + ", which this server sets itself; leave it out"
		case !headerValue.MatchString(value):
			problem = "has a value with line breaks or other control characters for " + canonical + "; take them out"
		default:
			continue
		}
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.headers", problem)
	}
	return nil
}
