package pagerduty

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// pause is what PagerDuty advises to wait after a rate limit, for which it
// promises no Retry-After.
const pause = 30 * time.Second

const badToken = "secrets.token is not accepted; copy an API access key of this account again"

func isForbidden(c *call.Call) bool {
	return c.Status() == http.StatusUnauthorized || c.Status() == http.StatusForbidden
}

// judge is the outcome of an event. The library's own errors say neither what
// PagerDuty answered nor that the time is up, so none of them is looked at.
func judge(c *call.Call) dispatch.Outcome {
	out := c.Outcome()
	switch c.Status() {
	case http.StatusTooManyRequests:
		return out.After(cmp.Or(out.Wait(), reset(c), pause))
	case http.StatusBadRequest:
		return refusal(c).Over(c.Exchange())
	default:
		return out
	}
}

// reset is the REST API's own header for a rate limit, in seconds.
func reset(c *call.Call) time.Duration {
	seconds, err := strconv.Atoi(c.Header().Get("Ratelimit-Reset"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// refusal says why PagerDuty does not take an event, in its own words.
func refusal(c *call.Call) dispatch.Outcome {
	var answer struct {
		Status, Message string
		Errors          json.RawMessage // a list of texts, or a text, or absent
	}
	if json.Unmarshal(c.Body(), &answer) != nil || answer.Status+answer.Message == "" {
		return dispatch.Refused(c.Error(""))
	}
	text := words(answer.Errors)
	err := said(c, filled(answer.Status, answer.Message, text))
	if strings.Contains(text, "routing_key") {
		return dispatch.Misconfigured(fmt.Errorf("secrets.integrationKey is not accepted; copy it again from the service's integrations: %w", err))
	}
	return dispatch.Refused(err)
}

// answered is the outcome of a call of the REST API. A token that is not
// accepted is Refused and not Misconfigured: alerts go out without it, and a
// pause of the actor would hold them back.
func answered(c *call.Call) dispatch.Outcome {
	out := judge(c)
	if c.Status() < http.StatusBadRequest || call.Passing(c.Status()) {
		return out
	}
	f := faultOf(c.Body())
	switch {
	case isForbidden(c):
		return dispatch.Refused(c.Error(badToken + ", with the right to do this")).Over(c.Exchange())
	case f.is(noSuchUser, "Requester User Not Found"):
		return dispatch.Refused(c.Error("settings.from is not the email of a user of this account; give one that is")).Over(c.Exchange())
	case f.text != "":
		return dispatch.Refused(said(c, f.text)).Over(c.Exchange())
	default:
		return dispatch.Refused(c.Error("")).Over(c.Exchange())
	}
}

// Codes of the REST API's errors. Source: developer.pagerduty.com, errors.
const (
	alreadyResolved = 1001
	noSuchUser      = 1008
	notAcknowledged = 1012
)

// fault is an error of the REST API.
type fault struct {
	code int
	text string
}

// faultOf reads the body of an answer. Its errors have been seen as a list, a
// text and an object, and the whole error as a list.
func faultOf(body []byte) fault {
	var answer struct{ Error json.RawMessage }
	if json.Unmarshal(body, &answer) != nil || len(answer.Error) == 0 {
		return fault{}
	}
	var e struct {
		Code    int
		Message string
		Errors  json.RawMessage
	}
	if json.Unmarshal(answer.Error, &e) != nil {
		return fault{text: words(answer.Error)}
	}
	return fault{e.Code, filled(e.Message, words(e.Errors))}
}

// is tells whether the fault has a code, or says the same under the code of
// invalid input.
func (f fault) is(code int, text string) bool {
	return f.code == code || strings.Contains(f.text, text)
}

// words are the texts of a list with commas between them, or what there is instead.
func words(raw json.RawMessage) string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, ", ")
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// filled joins the texts that are not empty.
func filled(texts ...string) string {
	var out []string
	for _, text := range texts {
		if text != "" {
			out = append(out, text)
		}
	}
	return strings.Join(out, ": ")
}

func said(c *call.Call, text string) error {
	return errors.New(dispatch.Cut(c.Error(text).Error(), 1000))
}
