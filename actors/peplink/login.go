package peplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// login holds the token that calls carry. It is kept in memory alone; the
// refresh token that comes with it is not needed, for the client's secret stays
// at hand.
type login struct {
	world    dispatch.World
	settings *Settings
	seat     chan struct{} // one grants at a time, the others wait for the token
	token    string
	until    time.Time // zero when the vendor named no end
}

// early is how long before its end a token is replaced.
const early = time.Minute

func newLogin(w dispatch.World, s *Settings) *login {
	return &login{world: w, settings: s, seat: make(chan struct{}, 1), token: string(s.Token)}
}

// current is a token that is not known to have ended. A stale one, which was
// refused, is replaced unless somebody has done so meanwhile. The outcome is
// delivered, or says why there is none.
func (l *login) current(ctx context.Context, stale string) (string, dispatch.Outcome) {
	select {
	case l.seat <- struct{}{}:
		defer func() { <-l.seat }()
	case <-ctx.Done():
		return "", dispatch.Deferred(errors.New("the time given ended during the login"))
	}
	ended := !l.until.IsZero() && time.Now().After(l.until.Add(-early))
	if l.token != "" && l.token != stale && !ended {
		return l.token, dispatch.Delivered(dispatch.Ref{})
	}
	out := l.grant(ctx)
	return l.token, out
}

// grant asks for a token with the client's id and secret, as a form. Source:
// forum.peplink.com/t/api-beginning-to-use/8238.
func (l *login) grant(ctx context.Context) dispatch.Outcome {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {l.settings.ClientID}, "client_secret": {string(l.settings.ClientSecret)}}
	made, err := http.NewRequestWithContext(ctx, http.MethodPost, base(l.settings)+"/api/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return dispatch.Refused(fmt.Errorf("make the request of a token: %w", err))
	}
	made.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	made.Header.Set("Accept", "application/json")
	c := call.New(l.world.HTTP, l.settings.secrets(""))
	if response, err := c.Do(made); err == nil {
		_ = response.Body.Close() // the call has read it
	}
	out := l.judge(c)
	if out.Kind() == dispatch.OutcomeDelivered {
		return l.take(c)
	}
	return out
}

func (l *login) judge(c *call.Call) dispatch.Outcome {
	switch status := c.Status(); {
	case isTooFast(c):
		return tooFast(c)
	case status == http.StatusUnauthorized || status == http.StatusForbidden || isRefusedClient(c):
		return dispatch.Misconfigured(c.Error("settings.clientId or secrets.clientSecret is not accepted; check both in the user's account page")).Over(c.Exchange())
	default:
		return unlost(c.Outcome())
	}
}

// isRefusedClient tells whether the answer is an error of RFC 6749, section 5.2,
// that lies with the client.
func isRefusedClient(c *call.Call) bool {
	var answer struct{ Error string }
	if c.Status() != http.StatusBadRequest || json.Unmarshal(c.Body(), &answer) != nil {
		return false
	}
	return answer.Error == "invalid_client" || answer.Error == "unauthorized_client" || answer.Error == "invalid_grant"
}

// take keeps the token of a granted answer. No word of that answer is recorded.
func (l *login) take(c *call.Call) dispatch.Outcome {
	kept := c.Exchange()
	kept.Response = ""
	var answer struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	if json.Unmarshal(c.Body(), &answer) != nil || answer.AccessToken == "" {
		return dispatch.Deferred(c.Error("there is no access token in the answer; check settings.url if this lasts")).Over(kept)
	}
	l.token, l.until = answer.AccessToken, time.Time{}
	if seconds, err := answer.ExpiresIn.Int64(); err == nil && seconds > 0 {
		l.until = time.Now().Add(time.Duration(min(seconds, 1<<30)) * time.Second)
	}
	return dispatch.Delivered(dispatch.Ref{}).Over(kept)
}
