package webhook

import (
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tocsin/dispatch"
)

// Settings are those of a webhook actor.
type Settings struct {
	URL            string            `json:"url" title:"URL" doc:"Give the web address that takes the alerts" required:"true" format:"uri" max:"2000"`
	Method         string            `json:"method" title:"Method" doc:"Give POST or PUT" required:"true" enum:"POST,PUT"`
	SigningSecret  dispatch.Secret   `json:"signingSecret" title:"Signing secret" doc:"whsec_ and 24 to 64 bytes in base64, or whsk_ and an ed25519 key; without it requests are not signed" secret:"true" max:"200"`
	PreviousSecret dispatch.Secret   `json:"previousSecret" title:"Previous signing secret" doc:"While receivers change over to a new signing secret: the one before, which signs as well" secret:"true" max:"200"`
	InboundSecret  dispatch.Secret   `json:"inboundSecret" title:"Inbound secret" doc:"whsec_ and 24 to 64 bytes in base64, with which the receiver signs what it sends to the inbound address; without it nothing is taken in" secret:"true" max:"200"`
	Headers        map[string]string `json:"headers" title:"Headers" doc:"Sent with every request, such as Authorization" secret:"true" max:"30"`
}

// ConfigSettings are those of a webhook API config.
type ConfigSettings struct {
	EventType   string `json:"eventType" title:"Event type" doc:"Give the type that the receiver looks at, words joined by dots" required:"true" max:"100"`
	Envelope    string `json:"envelope" title:"Envelope" doc:"Give the form of the message: Standard Webhooks, or CloudEvents 1.0 as one JSON object or with its attributes as headers" required:"true" enum:"standard,cloudevents-structured,cloudevents-binary"`
	Body        string `json:"body" title:"Body" doc:"A text of its own instead of the envelope, with fields such as {{.Alert.Summary}}; in JSON put each field between quotes. Updates are not sent then" max:"20000" template:"media"`
	ContentType string `json:"contentType" title:"Content type" doc:"Of a body of its own" max:"200"`
	Updates     bool   `json:"updates" title:"Updates" doc:"Send a ticket.updated event when the ticket's status changes, and let the receiver change it by its inbound address"`
}

// follows tells whether the receiver hears of the ticket from then on. One that
// asked for a body of its own does not know an event by its type.
func (s *ConfigSettings) follows() bool { return s.Updates && s.Body == "" }

// signers reads the secrets that sign, the newest first.
func (s *Settings) signers() ([]signer, error) {
	var by []signer
	for _, secret := range []struct {
		field string
		value dispatch.Secret
	}{{"signingSecret", s.SigningSecret}, {"previousSecret", s.PreviousSecret}} {
		if secret.value == "" {
			continue
		}
		one, err := signerOf(secret.field, secret.value)
		if err != nil {
			return nil, err
		}
		by = append(by, one)
	}
	return by, nil
}

// inboundKey is the key that signs what comes in; nil when there is none.
func (s *Settings) inboundKey() ([]byte, error) {
	if s.InboundSecret == "" {
		return nil, nil
	}
	return sharedKey("inboundSecret", s.InboundSecret)
}

// secrets are all that must not show in a record.
func (s *Settings) secrets(u *url.URL) []string {
	var secrets []string
	for _, secret := range []dispatch.Secret{s.SigningSecret, s.PreviousSecret, s.InboundSecret} {
		_, coded, _ := strings.Cut(string(secret), "_")
		secrets = append(secrets, string(secret), coded)
	}
	for _, value := range s.Headers {
		_, credential, _ := strings.Cut(value, " ") // what stands behind Bearer or Basic
		secrets = append(secrets, value, strings.TrimSpace(credential))
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	return secrets
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
