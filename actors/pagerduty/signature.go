package pagerduty

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/PagerDuty/go-pagerduty/webhookv3"

	"tocsin/dispatch"
)

const signatureHeader = "X-PagerDuty-Signature"

// isAuthentic tells whether a webhook is signed with one of the secrets. The
// library does not find a signature after a comma and a space, looks at one
// header only, and takes an empty secret for a secret.
// Source: developer.pagerduty.com, verifying webhook signatures.
func (m *messenger) isAuthentic(r dispatch.Inbound) bool {
	signatures := strings.Join(r.Header.Values(signatureHeader), ",")
	header := http.Header{}
	header.Set(signatureHeader, strings.Join(strings.Fields(signatures), ""))
	for _, secret := range m.settings.webhookSecrets() { // none of them is empty
		request := &http.Request{Header: header, Body: io.NopCloser(bytes.NewReader(r.Body))}
		if webhookv3.VerifySignature(request, secret) == nil {
			return true
		}
	}
	return false
}
