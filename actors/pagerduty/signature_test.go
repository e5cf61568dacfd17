package pagerduty

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tocsin/dispatch"
	account "tocsin/fake/pagerduty"
)

const hookSecret = "gn50M3gVn06a86IyOauUEiRnnQVTnuikdtBMa/dgVZVraEz2sKMpUrLRZaIRh3Df"

// vector is a webhook whose signature is known.
type vector struct {
	Name     string
	BodyFile string `json:"body_file"`
	Secret   string
	Headers  map[string]string
	Expect   string
}

func vectors(t *testing.T) []vector {
	t.Helper()
	var all struct{ Vectors []vector }
	if err := json.Unmarshal(webhookFile(t, "vectors.json"), &all); err != nil || len(all.Vectors) < 40 {
		t.Fatalf("%d vectors, error %v", len(all.Vectors), err)
	}
	return all.Vectors
}

func webhookFile(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata/webhooks", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestSignatures: what is signed is taken, whatever it is, and nothing else is;
// nor is anything while there is no secret.
func TestSignatures(t *testing.T) {
	for _, v := range vectors(t) {
		m := hearing(t, nil, map[string]dispatch.Secret{"integrationKey": key, "webhookSecret": dispatch.Secret(v.Secret)})
		body := webhookFile(t, v.BodyFile)
		want := http.StatusUnauthorized
		if v.Expect == "valid" {
			want = 0 // 202
		}
		header := http.Header{}
		for name, value := range v.Headers {
			header.Set(name, value)
		}
		if _, reply := m.Receive(t.Context(), inbound(header, body)); reply.Status != want {
			t.Errorf("%s: status %d, want %d", v.Name, reply.Status, want)
		}
		flipped := slices.Clone(body)
		flipped[len(flipped)/2] ^= 1
		if _, reply := m.Receive(t.Context(), inbound(header, flipped)); reply.Status != http.StatusUnauthorized {
			t.Errorf("%s with a bit flipped: status %d", v.Name, reply.Status)
		}
		none := hearing(t, nil, map[string]dispatch.Secret{"integrationKey": key})
		header.Set(signatureHeader, account.Sign(body, ""))
		if _, reply := none.Receive(t.Context(), inbound(header, body)); reply.Status != http.StatusUnauthorized {
			t.Errorf("%s without a secret: status %d", v.Name, reply.Status)
		}
	}
}

// TestSecretsSideBySide: while one subscription replaces another, both secrets
// are taken, and a signature may stand in a header of its own.
func TestSecretsSideBySide(t *testing.T) {
	m := hearing(t, nil, map[string]dispatch.Secret{"integrationKey": key, "webhookSecret": "old-secret\n new-secret "})
	body := webhookFile(t, "pagey.ping.json")
	for name, signatures := range map[string][]string{
		"old": {account.Sign(body, "old-secret")}, "new": {account.Sign(body, "new-secret")},
		"second header": {account.Sign(body, "other"), account.Sign(body, "new-secret")},
	} {
		if _, reply := m.Receive(t.Context(), inbound(http.Header{http.CanonicalHeaderKey(signatureHeader): signatures}, body)); reply.Status != 0 {
			t.Errorf("%s: status %d", name, reply.Status)
		}
	}
	if _, reply := m.Receive(t.Context(), signed(body, "old-secret\n new-secret ")); reply.Status != http.StatusUnauthorized {
		t.Errorf("both secrets as one: status %d", reply.Status)
	}
}
