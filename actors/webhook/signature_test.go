package webhook

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	receiver "tocsin/fake/webhook"
)

// TestSignatureVectors compares with vectors that another implementation checked.
func TestSignatureVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/signature-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Name, Secret, PublicKey, ID, Body, Signature string
			Timestamp                                    int64
		}
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Vectors) == 0 {
		t.Fatalf("%d vectors, error %v", len(file.Vectors), err)
	}
	for _, v := range file.Vectors {
		by, err := signerOf("signingSecret", dispatch.Secret(v.Secret))
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		if got := signatures([]signer{by}, v.ID, strconv.FormatInt(v.Timestamp, 10), []byte(v.Body)); got != v.Signature {
			t.Errorf("%s: signature %s, want %s", v.Name, got, v.Signature)
		}
		if got := by.public(); got != v.PublicKey {
			t.Errorf("%s: public key %q, want %q", v.Name, got, v.PublicKey)
		}
	}
}

// TestVerifiedByLibrary lets the specification's own library judge a request.
func TestVerifiedByLibrary(t *testing.T) {
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := sent(t, secrets, exam.Parcel(1))
	if err := verifier.Verify(r.Body, r.Header); err != nil {
		t.Errorf("the library refuses the request: %v", err)
	}
	r.Body[0] = '['
	if verifier.Verify(r.Body, r.Header) == nil {
		t.Error("the library takes a changed body")
	}
	if got := r.Header.Get("Authorization"); got != "Bearer s3cr3t-of-the-header" {
		t.Errorf("Authorization %q: the actor's header is not sent", got)
	}
}

// TestChangeOfSecret: while secrets change, both sign, so that a receiver that
// knows one of them takes the message.
func TestChangeOfSecret(t *testing.T) {
	const before = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
	r := sent(t, map[string]dispatch.Secret{"signingSecret": seed, "previousSecret": before}, exam.Parcel(1))
	for name, known := range map[string]string{"public key": publicOf(t, seed), "secret before": before} {
		if err := receiver.Verify([]string{known}, r.Header, r.Body, time.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	verifier, err := standardwebhooks.NewWebhook(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(r.Body, r.Header); err != nil {
		t.Errorf("the library refuses the request: %v", err)
	}
}

func publicOf(t *testing.T, secret dispatch.Secret) string {
	t.Helper()
	by, err := signerOf("signingSecret", secret)
	if err != nil {
		t.Fatal(err)
	}
	return by.public()
}

// TestPublicKey: who sets the receiver up is told by what key to verify.
func TestPublicKey(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	m := opened(t, `{"url": "`+server.URL+`"}`, map[string]dispatch.Secret{"signingSecret": seed})
	out := m.(dispatch.Tester).Test(t.Context())
	if said := out.Exchange().Response; !strings.HasSuffix(said, " Public key: whpk_l//Ig8gL7nI375XZubcD1K1j5goh5gWGdoK3W4s/QwM=") {
		t.Errorf("the test says %q", said)
	}
}

// TestUnsigned: id and timestamp are there without a secret, a signature is not.
func TestUnsigned(t *testing.T) {
	r := sent(t, nil, exam.Parcel(1))
	if _, there := r.Header["Webhook-Signature"]; there {
		t.Error("signed without a secret")
	}
	seconds, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	if since := time.Since(time.Unix(seconds, 0)); err != nil || since < -time.Second || since > time.Minute {
		t.Errorf("webhook-timestamp %q is not now", r.Header.Get("webhook-timestamp"))
	}
	if got := r.Header.Get("webhook-id"); got != exam.Parcel(1).DeliveryID {
		t.Errorf("webhook-id %q, want the delivery's id", got)
	}
	if got := r.Header.Get("User-Agent"); got != "Tocsin" {
		t.Errorf("User-Agent %q", got)
	}
}
