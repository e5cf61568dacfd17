package webhook_test

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"tocsin/fake"
	"tocsin/fake/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="

func start(t *testing.T, o webhook.Options) (*webhook.Receiver, *http.Client) {
	t.Helper()
	r := webhook.New(o)
	if err := r.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(func() { tr.CloseIdleConnections(); _ = r.Close() })
	return r, &http.Client{Transport: tr}
}

// post sends a message signed by the reference library and returns the status and body of the answer.
func post(t *testing.T, c *http.Client, url, key, id string, at time.Time, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	wh, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := wh.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("webhook-signature", "v1a,AAAA "+signature)
	resp, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Name, Secret, PublicKey, ID, Body, Signature string
			Timestamp                                    int64
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Vectors) == 0 {
		t.Fatalf("%d vectors, error %v", len(file.Vectors), err)
	}
	for _, v := range file.Vectors {
		h := http.Header{}
		h.Set("webhook-id", v.ID)
		h.Set("webhook-timestamp", strconv.FormatInt(v.Timestamp, 10))
		h.Set("webhook-signature", v.Signature)
		at, key := time.Unix(v.Timestamp, 0), cmp.Or(v.PublicKey, v.Secret)
		if err := webhook.Verify([]string{secret, key}, h, []byte(v.Body), at.Add(5*time.Minute)); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		if err := webhook.Verify([]string{key}, h, []byte(v.Body+" "), at); err == nil {
			t.Errorf("%s: accepted with another body", v.Name)
		}
		if err := webhook.Verify([]string{key}, h, []byte(v.Body), at.Add(301*time.Second)); err == nil {
			t.Errorf("%s: accepted when too old", v.Name)
		}
	}
}

func TestLetsInOnlyWhatIsSigned(t *testing.T) {
	r, c := start(t, webhook.Options{Secrets: []string{secret}})
	other := "whsec_AgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE="
	if status, body := post(t, c, r.URL(), secret, "msg_1", time.Now(), "{}"); status != 200 || body != "" {
		t.Errorf("good signature: got %d %q", status, body)
	}
	if status, _ := post(t, c, r.URL(), other, "msg_2", time.Now(), "{}"); status != 401 {
		t.Errorf("unknown secret: got %d", status)
	}
	if status, _ := post(t, c, r.URL(), secret, "msg_3", time.Now().Add(-time.Hour), "{}"); status != 401 {
		t.Errorf("old: got %d", status)
	}
	if got := r.Taken(); len(got) != 1 || got[0].ID != "msg_1" {
		t.Errorf("taken: %+v", got)
	}
}

func TestCountsCopies(t *testing.T) {
	r, c := start(t, webhook.Options{})
	r.Play(fake.Step{Apply: true, Reset: true}, fake.Step{Status: 503})
	if status, _ := post(t, c, r.URL(), secret, "msg_1", time.Now(), "a"); status != 0 {
		t.Errorf("the answer was not lost: %d", status)
	}
	if status, _ := post(t, c, r.URL(), secret, "msg_1", time.Now(), "a"); status != 503 {
		t.Errorf("not refused: %d", status)
	}
	post(t, c, r.URL(), secret, "msg_1", time.Now(), "a")
	post(t, c, r.URL(), secret, "msg_2", time.Now(), "b")
	post(t, c, r.URL(), secret, "msg_2", time.Now(), "c")
	got := r.Taken()
	if len(got) != 2 || got[0].Copies != 2 || got[0].Changed || got[1].Copies != 2 || !got[1].Changed {
		t.Errorf("taken: %+v", got)
	}
	if n := len(r.Requests.All()); n != 5 {
		t.Errorf("requests recorded: %d", n)
	}
}

// TestCallback: the reference library takes what the receiver sends back, and a second receiver knows the duplicate.
func TestCallback(t *testing.T) {
	r, c := start(t, webhook.Options{Secrets: []string{secret}})
	call := webhook.Callback{Secret: secret, ID: "msg_7", Body: `{"ticketId": "tkt_1", "status": "CLOSED"}`}
	for range 2 {
		if status, answer, err := call.Send(t.Context(), c, r.URL()); status != http.StatusOK || answer != "" || err != nil {
			t.Errorf("answered %d %q %v", status, answer, err)
		}
	}
	if got := r.Taken(); len(got) != 1 || got[0].Copies != 2 {
		t.Errorf("taken: %+v", got)
	}
	call.At = time.Now().Add(-time.Hour)
	if status, _, err := call.Send(t.Context(), c, r.URL()); status != http.StatusUnauthorized || err != nil {
		t.Errorf("late: %d %v", status, err)
	}
	header, err := webhook.Callback{Secret: secret, Body: "x"}.Sign()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify([]byte("x"), header); err != nil {
		t.Errorf("the library refuses the callback: %v", err)
	}
	if _, err := (webhook.Callback{Secret: "whsec_x"}).Sign(); err == nil {
		t.Error("signed with a bad secret")
	}
}
