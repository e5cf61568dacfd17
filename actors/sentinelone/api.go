package sentinelone

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

const base = "/web/api/v2.1"

// maxPage is above what a page of a thousand threats takes, some three kilobytes each.
const maxPage = 32 << 20

// pause is what to wait after a rate limit that names no time.
const pause = 5 * time.Second

// request is one call of the API. The right is the permission that it needs.
type request struct {
	method, path, right string
	query               url.Values
	body                any
	scheme              string // of the token; ApiToken when it is ""
}

// ask reads; an answer that does not fit into is no answer.
func (m *messenger) ask(ctx context.Context, path string, query url.Values, right string, into any) dispatch.Outcome {
	return m.send(ctx, request{method: http.MethodGet, path: path, query: query, right: right}, into)
}

// act asks for one thing to be done with exactly one id, for a filter acts on all
// that it matches. It tells how many were affected; 0 when that is not told.
func (m *messenger) act(ctx context.Context, path, right, id string, data object) (int, dispatch.Outcome) {
	var answer struct{ Data struct{ Affected int } }
	if !idForm.MatchString(id) {
		return 0, dispatch.Refused(fmt.Errorf("%q is not an id; they have 18 or 19 digits", dispatch.Cut(id, 100)))
	}
	body := object{"data": data, "filter": object{"ids": []string{id}}}
	out := m.send(ctx, request{method: http.MethodPost, path: path, body: body, right: right}, &answer)
	return answer.Data.Affected, out
}

type object = map[string]any

// send makes one call, when its turn comes.
func (m *messenger) send(ctx context.Context, r request, into any) dispatch.Outcome {
	if wait, err := m.lanes.enter(ctx, r.path); err != nil {
		return dispatch.Deferred(err).After(wait)
	}
	made, err := m.request(ctx, r)
	if err != nil {
		return dispatch.Refused(err)
	}
	c := call.New(m.world.HTTP, m.mask).UpTo(maxPage)
	if response, err := c.Do(made); err == nil {
		_ = response.Body.Close() // the call has read it
	}
	return judge(c, r, into)
}

func (m *messenger) request(ctx context.Context, r request) (*http.Request, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("write the request as JSON: %w", err)
		}
	}
	address := strings.TrimSuffix(m.settings.URL, "/") + base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	made, err := http.NewRequestWithContext(ctx, r.method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	made.Header.Set("Authorization", cmp.Or(r.scheme, "ApiToken")+" "+string(m.settings.APIToken))
	made.Header.Set("Accept", "application/json")
	if r.body != nil {
		made.Header.Set("Content-Type", "application/json")
	}
	return made, nil
}

// scoped are a query's parameters with the actor's accounts and sites.
func (m *messenger) scoped(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	if len(m.settings.AccountIDs) > 0 {
		q.Set("accountIds", strings.Join(m.settings.AccountIDs, ","))
	}
	if len(m.settings.SiteIDs) > 0 {
		q.Set("siteIds", strings.Join(m.settings.SiteIDs, ","))
	}
	return q
}
