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

	"tocsin/dispatch"
)

// The prefixes of keys, by the Standard Webhooks specification, "Signature
// scheme": a secret of both sides, and the halves of a key pair.
const (
	secretPrefix  = "whsec_"
	privatePrefix = "whsk_"
	publicPrefix  = "whpk_"
)

// signer makes one signature of a signed text: v1 with a secret of both sides,
// v1a with a private key.
type signer struct {
	shared  []byte
	private ed25519.PrivateKey
}

// signerOf is the signer of a secret; the error is a refusal of the field.
func signerOf(field string, secret dispatch.Secret) (signer, error) {
	if coded, ok := strings.CutPrefix(string(secret), privatePrefix); ok {
		key, err := privateKey(coded)
		if err != nil {
			return signer{}, dispatch.Refuse(dispatch.CodeInvalid, "secrets."+field,
				"is not whsk_ and an ed25519 key of 32 or 64 bytes in base64; make one with: echo whsk_$(openssl rand -base64 32)")
		}
		return signer{private: key}, nil
	}
	key, err := sharedKey(field, secret)
	return signer{shared: key}, err
}

// sharedKey is the key in a whsec_ secret: 24 to 64 bytes.
func sharedKey(field string, secret dispatch.Secret) ([]byte, error) {
	coded, ok := strings.CutPrefix(string(secret), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(coded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, dispatch.Refuse(dispatch.CodeInvalid, "secrets."+field,
			"is not whsec_ and 24 to 64 bytes in base64; make one with: echo whsec_$(openssl rand -base64 32)")
	}
	return key, nil
}

// privateKey reads a seed, or a seed with its public key: the specification does
// not say which of them a secret holds.
func privateKey(coded string) (ed25519.PrivateKey, error) {
	raw, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return nil, errors.New("not base64") // the decoder's own error would show a part of the key
	}
	if len(raw) != ed25519.SeedSize && len(raw) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("has %d bytes", len(raw))
	}
	key := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if len(raw) == ed25519.PrivateKeySize && !key.Equal(ed25519.PrivateKey(raw)) {
		return nil, errors.New("the public half belongs to another key")
	}
	return key, nil
}

func (s signer) sign(text []byte) string {
	if s.private != nil {
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(s.private, text))
	}
	return "v1," + base64.StdEncoding.EncodeToString(sum(s.shared, text))
}

// public is the key by which a receiver verifies; "" for a secret of both sides.
func (s signer) public() string {
	if s.private == nil {
		return ""
	}
	key := s.private[ed25519.SeedSize:] // as Public does, without its untyped result
	return publicPrefix + base64.StdEncoding.EncodeToString(key)
}

// signatures are one by each signer, as webhook-signature lists them.
func signatures(by []signer, id, timestamp string, body []byte) string {
	text := signed(id, timestamp, body)
	list := make([]string, len(by))
	for i, s := range by {
		list[i] = s.sign(text)
	}
	return strings.Join(list, " ")
}

// signed is the text that a signature is made of.
func signed(id, timestamp string, body []byte) []byte {
	return append([]byte(id+"."+timestamp+"."), body...)
}

func sum(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(text) // a hash takes everything
	return h.Sum(nil)
}

// tolerance is how far a message may be from now, either way, as in the
// reference libraries of Standard Webhooks.
const tolerance = 5 * time.Minute

// errUnsigned says no more than a stranger may know.
var errUnsigned = errors.New("the request is not signed with this actor's inbound secret within the last five minutes; see Standard Webhooks")

// verify is the id and the time of a message that a key has signed.
func verify(key []byte, h http.Header, body []byte, now time.Time) (string, time.Time, error) {
	id, timestamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	at := time.Unix(seconds, 0).UTC()
	if len(key) == 0 || err != nil || id == "" || now.Sub(at).Abs() > tolerance {
		return "", at, errUnsigned
	}
	want := sum(key, signed(id, timestamp, body))
	for entry := range strings.FieldsSeq(h.Get("webhook-signature")) {
		coded, _ := strings.CutPrefix(entry, "v1,")
		got, err := base64.StdEncoding.DecodeString(coded)
		if err == nil && hmac.Equal(got, want) {
			return id, at, nil
		}
	}
	return "", at, errUnsigned
}
