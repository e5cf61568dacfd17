package sentinelone

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// judge is the outcome of a call. A missing permission is Refused and not
// Misconfigured: the others work, and a pause of the actor would hold them back.
func judge(c *call.Call, r request, into any) dispatch.Outcome {
	out := c.Outcome()
	switch status := c.Status(); {
	case status == http.StatusUnauthorized:
		return dispatch.Misconfigured(c.Error("secrets.apiToken is not accepted or has ended; make a new one in the console")).Over(c.Exchange())
	case status == http.StatusForbidden:
		return dispatch.Refused(c.Error("the token's role lacks the permission " + cmp.Or(r.right, "to read this") + "; grant it in the console")).Over(c.Exchange())
	case status == http.StatusTooManyRequests:
		return out.After(cmp.Or(out.Wait(), pause))
	case status >= http.StatusBadRequest && !call.Passing(status):
		return dispatch.Refused(c.Error(fault(c.Body()))).Over(c.Exchange())
	case out.Kind() != dispatch.OutcomeDelivered || into == nil:
		return out
	default:
		return read(c, r, into)
	}
}

// read takes an answer apart. An empty one of a write is as good as no count;
// a page of HTML is from somebody else.
func read(c *call.Call, r request, into any) dispatch.Outcome {
	body := bytes.TrimSpace(c.Body())
	if bytes.HasPrefix(body, []byte("<")) {
		return dispatch.Misconfigured(c.Error("this is a web page and no answer of the API; check settings.url and what stands between")).Over(c.Exchange())
	}
	if len(body) == 0 && r.method == http.MethodPost {
		return c.Outcome()
	}
	if err := json.Unmarshal(body, into); err != nil {
		return dispatch.Deferred(c.Error("the answer is empty or not one of the API")).Over(c.Exchange())
	}
	return c.Outcome()
}

// fault is what the envelope of an error says; "" when there is none.
func fault(body []byte) string {
	var answer struct {
		Errors []struct {
			Code          int
			Title, Detail string
		}
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	var texts []string
	for _, e := range answer.Errors {
		texts = append(texts, strings.TrimSuffix(fmt.Sprintf("%d %s: %s", e.Code, e.Title, e.Detail), ": "))
	}
	return dispatch.Cut(strings.Join(texts, "; "), 500)
}
