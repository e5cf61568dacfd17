package servicenow

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// maxPage is above what a page of records takes, about a kilobyte each.
const maxPage = 8 << 20

// pause is what to wait after a rate limit that names no time.
const pause = time.Minute

// request is one call of the Table API. Its answer's result is read.
type request struct {
	method, table, id string
	query             url.Values
	body              any
}

// send makes one call. A token that is not accepted any more is asked for again, once.
func (m *messenger) send(ctx context.Context, r request, result any) (http.Header, dispatch.Outcome) {
	for again := false; ; again = true {
		credential, out := m.login.credential(ctx)
		if out.Kind() != dispatch.OutcomeDelivered {
			return nil, out
		}
		made, err := m.request(ctx, r, credential)
		if err != nil {
			return nil, dispatch.Refused(err)
		}
		c := call.New(m.world.HTTP, m.login.mask(credential)).UpTo(maxPage)
		if response, err := c.Do(made); err == nil {
			_ = response.Body.Close() // the call has read it
		}
		if c.Status() == http.StatusUnauthorized && !again && m.login.forget(credential) {
			continue
		}
		return c.Header(), m.judge(c, result)
	}
}

func (m *messenger) request(ctx context.Context, r request, credential string) (*http.Request, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("write the request as JSON: %w", err)
		}
	}
	address := m.base + "/api/now/table/" + r.table
	if r.id != "" {
		address += "/" + r.id
	}
	made, err := http.NewRequestWithContext(ctx, r.method, address+"?"+r.query.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	made.Header.Set("Authorization", credential)
	made.Header.Set("Accept", "application/json")
	if r.body != nil {
		made.Header.Set("Content-Type", "application/json")
	}
	return made, nil
}

// unique are the texts in their order, each once.
func unique(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}
