package jira

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// request is a call of the REST API. A path holds nothing but ids that were
// looked at.
type request struct {
	method string
	path   string
	query  url.Values
	body   any
	writes bool   // a repeat would be seen
	secret string // one in the body that is not among the settings yet
}

const (
	// maxAnswer is for lists of a hundred issues, and transitions with all values
	// of their fields.
	maxAnswer = 4 << 20
	// pause is for a rate limit without Retry-After, which Jira sends with some of
	// them only. Source: "Rate limiting".
	pause = 30 * time.Second
)

// ask makes a call and reads its answer; nil reads none.
func (m *messenger) ask(ctx context.Context, q request, into any) dispatch.Outcome {
	r, err := m.request(ctx, q)
	if err != nil {
		return dispatch.Refused(fmt.Errorf("prepare a call of Jira: %w", err))
	}
	mask := m.mask
	if q.secret != "" {
		mask = m.settings.mask(q.secret)
	}
	c := call.New(m.world.HTTP, mask).UpTo(maxAnswer)
	response, err := c.Do(r)
	if err != nil {
		return safe(q, c.Outcome())
	}
	_ = response.Body.Close() // the call has read it
	return judge(c, q, into)
}

func (m *messenger) request(ctx context.Context, q request) (*http.Request, error) {
	var body bytes.Buffer
	if q.body != nil {
		if err := write(&body, q.body); err != nil {
			return nil, err
		}
	}
	address := strings.TrimSuffix(m.settings.URL, "/") + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, &body)
	if err != nil {
		return nil, errors.New("the address cannot be used; check settings.url")
	}
	r.Header.Set("Accept", "application/json")
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if m.settings.Email != "" {
		r.SetBasicAuth(m.settings.Email, string(m.settings.APIToken))
	} else {
		r.Header.Set("Authorization", "Bearer "+string(m.settings.APIToken))
	}
	return r, nil
}

// write is JSON without the escapes of HTML, which count in the limits of texts.
func write(into *bytes.Buffer, body any) error {
	e := json.NewEncoder(into)
	e.SetEscapeHTML(false)
	return e.Encode(body)
}

// safe is the outcome of a call that may be repeated whatever became of it.
func safe(q request, out dispatch.Outcome) dispatch.Outcome {
	if out.Kind() == dispatch.OutcomeUncertain && !q.writes {
		return dispatch.Deferred(out.Err()).Over(out.Exchange())
	}
	return out
}

const badToken = "secrets.apiToken is not accepted, or has ended; give settings.email and a new token of that account"

// judge is the outcome of a call. A missing permission is Refused and not
// Misconfigured: other projects work, and a pause would hold them back. A server
// error may hide a write that was done.
func judge(c *call.Call, q request, into any) dispatch.Outcome {
	out := c.Outcome()
	switch status := c.Status(); {
	case status == http.StatusUnauthorized || c.Header().Get("X-Seraph-Loginreason") == "AUTHENTICATED_FAILED":
		return dispatch.Misconfigured(c.Error(badToken)).Over(c.Exchange())
	case status == http.StatusTooManyRequests:
		return out.After(cmp.Or(out.Wait(), pause))
	case status == http.StatusConflict:
		return dispatch.Deferred(c.Error(fault(c.Body()))).Over(c.Exchange())
	case q.writes && isDoubtful(status):
		return dispatch.Unsure(c.Error("")).Over(c.Exchange())
	case status >= http.StatusBadRequest && !call.Passing(status):
		return dispatch.Refused(c.Error(fault(c.Body()))).Over(c.Exchange())
	case out.Kind() != dispatch.OutcomeDelivered || into == nil:
		return out
	case bytes.HasPrefix(bytes.TrimSpace(c.Body()), []byte("<")):
		return dispatch.Misconfigured(c.Error("this is a web page and no answer of the API; check settings.url")).Over(c.Exchange())
	case json.Unmarshal(c.Body(), into) != nil:
		return safe(q, dispatch.Unsure(c.Error("the answer is not one of Jira; check settings.url")).Over(c.Exchange()))
	default:
		return out
	}
}

// isDoubtful tells whether what was asked for may have been done all the same.
func isDoubtful(status int) bool {
	return status == http.StatusInternalServerError || status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}

// remedies are the settings that fields of an issue come from.
var remedies = map[string]string{
	"project":     "check settings.project, and that the account may create issues there",
	"issuetype":   "settings.issueType is not one of the project's",
	"summary":     "check settings.summary",
	"description": "check settings.description",
	"priority":    "check settings.priorities; leave them out where the project has no priorities",
	"labels":      "the field Labels must be on the project's screen; check settings.labels",
	"resolution":  "check settings.resolution",
}

// fault is what Jira says is wrong, field by field with the setting to look at;
// "" when it says nothing.
func fault(body []byte) string {
	var answer struct {
		Messages []string          `json:"errorMessages"`
		Errors   map[string]string `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	texts := answer.Messages
	for _, name := range slices.Sorted(maps.Keys(answer.Errors)) {
		texts = append(texts, name+": "+answer.Errors[name]+" ("+cmp.Or(remedies[name], "settings.fields can give it")+")")
	}
	return dispatch.Cut(strings.Join(texts, "; "), 700)
}
