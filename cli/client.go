package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Limits of one exchange with the server.
const (
	exchangeTime = time.Minute // the server gives up after half of it
	maxAnswer    = 16 << 20
)

// client asks the server, over HTTP here and over WebSocket in socket.go.
type client struct {
	endpoint string
	token    string
	scope    string // what the token needs, for the texts
	http     *http.Client
}

// operation is a GraphQL request.
type operation struct {
	Query     string `json:"query"`
	Variables any    `json:"variables,omitempty"`
}

// graphError is a top-level error of an answer.
type graphError struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	Extensions struct {
		Code string `json:"code"`
	} `json:"extensions"`
}

// answer is what comes back for an operation.
type answer struct {
	Data   json.RawMessage `json:"data"`
	Errors []graphError    `json:"errors"`
}

// ask posts one encoded operation and decodes the answer's data into out. An
// error that the server or the way to it caused is a *fault.
func (c *client) ask(ctx context.Context, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/graphql-response+json, application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		return &fault{cure: again, text: err.Error()}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &fault{cure: again, text: "the answer broke off: " + err.Error()}
	}
	var got answer
	isJSON := json.Unmarshal(text, &got) == nil
	if f := c.faultOf(resp.StatusCode, got.Errors); f != nil {
		f.after = retryAfter(resp.Header.Get("Retry-After"))
		return f
	}
	if !isJSON || json.Unmarshal(got.Data, out) != nil {
		return c.stranger()
	}
	return nil
}

// stranger is the fault of a server that does not speak as ours does.
func (c *client) stranger() *fault {
	return &fault{text: c.endpoint + " does not answer as a Tocsin server does; check --server"}
}

// ledgerCursor asks for the newest place in the ledger.
func (c *client) ledgerCursor(ctx context.Context) (string, error) {
	var data struct {
		LedgerCursor string `json:"ledgerCursor"`
	}
	err := c.ask(ctx, []byte(`{"query":"{ ledgerCursor }"}`), &data)
	if err == nil && data.LedgerCursor == "" {
		return "", c.stranger()
	}
	return data.LedgerCursor, err
}

// retryAfter reads a Retry-After header in seconds or as a date (RFC 9110,
// 10.2.3); 0 when there is none that can be read.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return time.Until(at)
	}
	return 0
}
