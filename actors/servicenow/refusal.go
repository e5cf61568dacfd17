package servicenow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// judge is the outcome of a call. A missing role is Refused and not Misconfigured:
// what else the user may do goes on, and a pause of the actor would hold it back.
func (m *messenger) judge(c *call.Call, result any) dispatch.Outcome {
	out := c.Outcome()
	switch status := c.Status(); {
	case status == http.StatusUnauthorized:
		return dispatch.Misconfigured(c.Error(m.login.remedy())).Over(c.Exchange())
	case status == http.StatusForbidden:
		return dispatch.Refused(c.Error(forbidden(fault(c.Body())))).Over(c.Exchange())
	case status == http.StatusNotFound && fault(c.Body()) == "":
		return dispatch.Refused(c.Error("this is no answer of the Table API; check settings.url")).Over(c.Exchange())
	case status == http.StatusNotFound:
		return dispatch.Refused(c.Error(fault(c.Body()))).Over(c.Exchange()).Gone()
	case status == http.StatusTooManyRequests:
		return out.After(cmp.Or(out.Wait(), pause))
	case status >= http.StatusBadRequest && !call.Passing(status):
		return dispatch.Refused(c.Error(fault(c.Body()))).Over(c.Exchange())
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	default:
		return answered(c, result)
	}
}

// forbidden says what to do about a 403, which is a missing role, or a column that
// a data policy asks for.
func forbidden(said string) string {
	lower := strings.ToLower(said)
	if strings.Contains(lower, "data policy") || strings.Contains(lower, "mandatory") {
		return said + "; give what is mandatory there by settings.closeCode, settings.closeNotes or settings.fields"
	}
	return strings.TrimPrefix(said+"; the user lacks a right there: grant him the role itil, or what the table asks for, and snc_platform_rest_api_access where the API asks for it", "; ")
}

// answered takes an answer apart. A page of HTML comes from an instance that
// sleeps, or from somebody else; an error within a 200 leaves the result unfinished.
func answered(c *call.Call, result any) dispatch.Outcome {
	body := bytes.TrimSpace(c.Body())
	if bytes.HasPrefix(body, []byte("<")) {
		if bytes.Contains(bytes.ToLower(body), []byte("hibernat")) {
			return dispatch.Deferred(c.Error("the instance hibernates; wake it at developer.servicenow.com")).After(pause).Over(c.Exchange())
		}
		return dispatch.Misconfigured(c.Error("this is a web page and no answer of the API; check settings.url and what stands between")).Over(c.Exchange())
	}
	var answer struct{ Result json.RawMessage }
	switch said := fault(body); {
	case said != "":
		return dispatch.Deferred(c.Error(said)).Over(c.Exchange())
	case json.Unmarshal(body, &answer) != nil, json.Unmarshal(answer.Result, result) != nil:
		return dispatch.Deferred(c.Error("the answer is empty or not one of the Table API")).Over(c.Exchange())
	default:
		return c.Outcome()
	}
}

// fault is what the envelope of an error says; "" when there is none.
func fault(body []byte) string {
	var answer struct {
		Error       json.RawMessage
		Description string `json:"error_description"` // of the token's address
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	var e struct{ Message, Detail string }
	if json.Unmarshal(answer.Error, &e) != nil {
		return joined(plain(answer.Error), answer.Description)
	}
	return joined(e.Message, e.Detail)
}

func joined(message, detail string) string {
	if detail == "" || detail == message {
		return dispatch.Cut(message, 500)
	}
	return dispatch.Cut(strings.TrimPrefix(message+": "+detail, ": "), 500)
}
