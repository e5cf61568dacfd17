package webhook

import (
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

// Verify checks a Standard Webhooks v1 signature: one of the signatures in webhook-signature must be the HMAC-SHA256 of
// id.timestamp.body by one of the secrets (whsec_ and base64 of 24 to 64 bytes), and webhook-timestamp must be within five
// minutes of now. The error says what is wrong. Source: the specification of standardwebhooks.com.
func Verify(secrets []string, h http.Header, body []byte, now time.Time) error {
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
	for _, secret := range secrets {
		sum, err := sign(secret, id+"."+stamp+"."+string(body))
		if err != nil {
			return err
		}
		if carries(h.Get("webhook-signature"), sum) {
			return nil
		}
	}
	return errors.New("webhook-signature: none is by a known secret")
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

// carries tells whether one of the space-separated signatures is v1 with this sum.
func carries(signatures string, sum []byte) bool {
	for s := range strings.FieldsSeq(signatures) {
		coded, isV1 := strings.CutPrefix(s, "v1,")
		got, err := base64.StdEncoding.DecodeString(coded)
		if isV1 && err == nil && hmac.Equal(got, sum) {
			return true
		}
	}
	return false
}
