package peplink

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

// maxAnswer is above what the list of a thousand devices takes; lists come whole.
const maxAnswer = 16 << 20

// pause is what to wait after a rate limit that names no time.
const pause = 2 * time.Second

func base(s *Settings) string { return strings.TrimSuffix(s.URL, "/") }

// place is a path below the organization.
func (m *messenger) place(parts ...string) string {
	var path strings.Builder
	path.WriteString("/rest/o/" + url.PathEscape(m.settings.Organization))
	for _, part := range parts {
		path.WriteString("/" + url.PathEscape(part))
	}
	return path.String()
}

// ask reads.
func (m *messenger) ask(ctx context.Context, path string, into any) dispatch.Outcome {
	return m.send(ctx, http.MethodGet, path, nil, into)
}

// send makes one call, when its turn comes. A token that is not accepted is
// replaced once. Once only: old appliances answer 401 for a wrong organization,
// too, and would be asked without end. Source:
// forum.peplink.com/t/incontrol-2-restful-api-and-rate-limit/20563.
func (m *messenger) send(ctx context.Context, method, path string, body, into any) dispatch.Outcome {
	token, out := m.login.current(ctx, "")
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	c, out := m.once(ctx, method, path, token, body)
	if c == nil {
		return out
	}
	if c.Status() == http.StatusUnauthorized && m.settings.Token == "" {
		if token, out = m.login.current(ctx, token); out.Kind() != dispatch.OutcomeDelivered {
			return out
		}
		if c, out = m.once(ctx, method, path, token, body); c == nil {
			return out
		}
	}
	return judge(c, into)
}

// once makes one call with a token; the call is nil when it was not made.
func (m *messenger) once(ctx context.Context, method, path, token string, body any) (*call.Call, dispatch.Outcome) {
	if wait, err := m.turns.wait(ctx); err != nil {
		return nil, dispatch.Deferred(err).After(wait)
	}
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, dispatch.Refused(fmt.Errorf("write the request as JSON: %w", err))
		}
	}
	made, err := http.NewRequestWithContext(ctx, method, base(m.settings)+path, bytes.NewReader(text))
	if err != nil {
		return nil, dispatch.Refused(fmt.Errorf("make the request: %w", err))
	}
	made.Header.Set("Authorization", "Bearer "+token) // access_token in the address would be in logs
	made.Header.Set("Accept", "application/json")
	if body != nil {
		made.Header.Set("Content-Type", "application/json")
	}
	c := call.New(m.world.HTTP, m.settings.secrets(token)).UpTo(maxAnswer)
	if response, err := c.Do(made); err == nil {
		_ = response.Body.Close() // the call has read it
	}
	return c, dispatch.Outcome{}
}

// envelope is around every answer. Only SUCCESS is success, whatever the HTTP
// status says; what other codes there are is not known.
type envelope struct {
	RespCode string          `json:"resp_code"`
	Message  string          `json:"message"`
	Data     json.RawMessage `json:"data"`
}

// judge is the outcome of a call. A missing right is Refused and not
// Misconfigured: the others work, and a pause of the actor would hold them back.
func judge(c *call.Call, into any) dispatch.Outcome {
	var answer envelope
	isEnvelope := json.Unmarshal(c.Body(), &answer) == nil && answer.RespCode != ""
	said := line(answer.RespCode + " " + answer.Message)
	switch status := c.Status(); {
	case isTooFast(c):
		return tooFast(c)
	case status == http.StatusUnauthorized:
		return dispatch.Misconfigured(c.Error("the token is not accepted: check secrets.clientSecret or secrets.token, and settings.organization, for which old appliances answer the same")).Over(c.Exchange())
	case status == http.StatusForbidden:
		return dispatch.Refused(c.Error(strings.TrimSpace("the user of the token may not do this; give it a role that may. " + said))).Over(c.Exchange())
	case status == http.StatusNotFound:
		return dispatch.Refused(c.Error(strings.TrimSpace("check settings.organization, and the group and the device of the API config. " + said))).Over(c.Exchange())
	case c.Outcome().Kind() != dispatch.OutcomeDelivered:
		return c.Outcome()
	case bytes.HasPrefix(bytes.TrimSpace(c.Body()), []byte("<")):
		return dispatch.Misconfigured(c.Error("this is a web page and no answer of the API; check settings.url and what stands between")).Over(c.Exchange())
	case !isEnvelope:
		return dispatch.Deferred(c.Error("the answer is not one of the API")).Over(c.Exchange())
	case answer.RespCode != "SUCCESS":
		return dispatch.Refused(c.Error("InControl did not do it: " + said)).Over(c.Exchange())
	case into != nil && json.Unmarshal(answer.Data, into) != nil:
		return dispatch.Deferred(c.Error("the data of the answer have another form than is known")).Over(c.Exchange())
	default:
		return c.Outcome()
	}
}

// isTooFast tells whether too many calls were made. InControl answered 403 for
// that at first and 429 later. Source:
// forum.peplink.com/t/incontrol-2-restful-api-and-rate-limit/20563.
func isTooFast(c *call.Call) bool {
	text := strings.ToLower(string(c.Body()))
	return c.Status() == http.StatusTooManyRequests ||
		c.Status() == http.StatusForbidden && (strings.Contains(text, "rate") && strings.Contains(text, "limit") || strings.Contains(text, "too many"))
}

func tooFast(c *call.Call) dispatch.Outcome {
	return dispatch.Deferred(c.Error("an organization takes twenty calls a second")).After(cmp.Or(c.Wait(), pause)).Over(c.Exchange())
}

// unlost is the outcome of a call before anything was changed: a lost answer is
// a reason to ask again, and none for doubt.
func unlost(out dispatch.Outcome) dispatch.Outcome {
	if out.Kind() != dispatch.OutcomeUncertain {
		return out
	}
	return dispatch.Deferred(out.Err()).Over(out.Exchange())
}
