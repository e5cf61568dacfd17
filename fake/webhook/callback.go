package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Callback is a signed message back to the sender of webhooks. Send it with the same ID again for a duplicate; give At a
// time of long ago for one that is late, and a secret of somebody else for one that is not authentic.
type Callback struct {
	Secret string // whsec_
	ID     string // its webhook-id; "" makes one
	At     time.Time
	Body   string
}

// Sign is the header that the callback is sent with. The zero At is now.
func (c Callback) Sign() (http.Header, error) {
	if c.ID == "" {
		c.ID = "msg_" + rand.Text()
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	stamp := strconv.FormatInt(c.At.Unix(), 10)
	sum, err := sign(c.Secret, c.ID+"."+stamp+"."+c.Body)
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	h.Set("webhook-id", c.ID)
	h.Set("webhook-timestamp", stamp)
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(sum))
	return h, nil
}

// Send brings the callback to an address; it returns the status and the body of the answer.
func (c Callback) Send(ctx context.Context, client *http.Client, url string) (int, string, error) {
	header, err := c.Sign()
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(c.Body)))
	if err != nil {
		return 0, "", fmt.Errorf("call back: %w", err)
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("call back: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", fmt.Errorf("call back: %w", err)
	}
	return resp.StatusCode, string(body), nil
}
