package servicenow

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// secretPrefix begins a secret of Standard Webhooks. What follows is base64, which
// is the form of a key that GlideCertificateEncryption.generateMac takes.
const secretPrefix = "whsec_"

// tolerance is how far a push may be from now, either way, as in the reference
// libraries of Standard Webhooks.
const tolerance = 5 * time.Minute

// inboundKey is the key that signs what comes in; nil when there is none.
func (s *Settings) inboundKey() ([]byte, error) {
	if s.WebhookSecret == "" {
		return nil, nil
	}
	coded, ok := strings.CutPrefix(string(s.WebhookSecret), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(coded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, refuse("secrets.webhookSecret", "is not whsec_ and 24 to 64 bytes in base64; make one with: echo whsec_$(openssl rand -base64 32)")
	}
	return key, nil
}

// isAuthentic tells whether a key has signed a message just now, and when.
func isAuthentic(key []byte, h http.Header, body []byte, now time.Time) (time.Time, bool) {
	id, timestamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	at := time.Unix(seconds, 0).UTC()
	if len(key) == 0 || err != nil || id == "" || now.Sub(at).Abs() > tolerance {
		return at, false
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + timestamp + ".")) // a hash takes everything
	_, _ = mac.Write(body)
	want := mac.Sum(nil)
	for entry := range strings.FieldsSeq(h.Get("webhook-signature")) {
		coded, _ := strings.CutPrefix(entry, "v1,")
		if got, err := base64.StdEncoding.DecodeString(coded); err == nil && hmac.Equal(got, want) {
			return at, true
		}
	}
	return at, false
}
