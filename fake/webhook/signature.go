package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const tolerance = 5 * time.Minute // Standard Webhooks reference implementations, either way

// Verify checks Standard Webhooks signatures: one of those in webhook-signature must be good by one of the keys, and
// webhook-timestamp must be within five minutes of now. A key is a secret (whsec_ and base64 of 24 to 64 bytes; v1, the
// HMAC-SHA256 of id.timestamp.body) or a public key (whpk_ and base64; v1a, ed25519). The error says what is wrong.
// Source: the specification of standardwebhooks.com.
func Verify(keys []string, h http.Header, body []byte, now time.Time) error {
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	if id == "" || strings.Contains(id, ".") {
		return errors.New("webhook-id: missing, or has a dot")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("webhook-timestamp: not in seconds: %q", stamp)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age.Abs() > tolerance {
		return fmt.Errorf("webhook-timestamp: %v away from now", age)
	}
	for _, key := range keys {
		good, err := carries(h.Get("webhook-signature"), key, id+"."+stamp+"."+string(body))
		if good || err != nil {
			return err
		}
	}
	return errors.New("webhook-signature: none is by a known secret")
}

// carries tells whether one of the space-separated signatures of a text is by a key.
func carries(signatures, key, text string) (bool, error) {
	if coded, isPublic := strings.CutPrefix(key, "whpk_"); isPublic {
		public, err := base64.StdEncoding.DecodeString(coded)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return false, errors.New("public key: must be whpk_ and the base64 of 32 bytes")
		}
		return holds(signatures, "v1a,", func(s []byte) bool { return ed25519.Verify(public, []byte(text), s) }), nil
	}
	sum, err := sign(key, text)
	return holds(signatures, "v1,", func(s []byte) bool { return hmac.Equal(s, sum) }), err
}

// holds tells whether one of the signatures of a scheme is good.
func holds(signatures, scheme string, isGood func([]byte) bool) bool {
	for s := range strings.FieldsSeq(signatures) {
		coded, ofScheme := strings.CutPrefix(s, scheme)
		got, err := base64.StdEncoding.DecodeString(coded)
		if ofScheme && err == nil && isGood(got) {
			return true
		}
	}
	return false
}

func sign(secret, text string) ([]byte, error) {
	coded, found := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(coded)
	if !found || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("secret: must be whsec_ and the base64 of 24 to 64 bytes")
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil), nil
}
