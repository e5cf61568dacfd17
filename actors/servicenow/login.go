package servicenow

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// login is how the actor shows who it is: by user and password with each request,
// or by a token that an OAuth client is granted.
type login struct {
	client   *http.Client
	settings *Settings
	base     string

	turn   chan struct{} // holds one token: who has it may read and change what is below
	bearer string
	ends   time.Time
}

func newLogin(client *http.Client, s *Settings, base string) *login {
	l := &login{client: client, settings: s, base: base, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// tokenPath is where tokens are granted.
const tokenPath = "/oauth_token.do" //nolint:gosec // an address and no credential

// early is how long before its end a token is not used any more.
const early = 30 * time.Second

// credential is what the header Authorization says. One call at a time asks for a
// token, and those who wait for it use it.
func (l *login) credential(ctx context.Context) (string, dispatch.Outcome) {
	ready := dispatch.Delivered(dispatch.Ref{})
	if l.settings.ClientID == "" {
		pair := l.settings.Username + ":" + string(l.settings.Password)
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), ready
	}
	select {
	case <-l.turn:
	case <-ctx.Done():
		return "", dispatch.Deferred(ctx.Err())
	}
	defer func() { l.turn <- struct{}{} }()
	if l.bearer == "" || time.Until(l.ends) < early {
		if out := l.grant(ctx); out.Kind() != dispatch.OutcomeDelivered {
			return "", out
		}
	}
	return "Bearer " + l.bearer, ready
}

// forget drops a token that is not accepted; false where there is none to drop.
func (l *login) forget(credential string) bool {
	if l.settings.ClientID == "" {
		return false
	}
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	if credential == "Bearer "+l.bearer {
		l.bearer = ""
	}
	return true
}

// grant asks for a token: with the password of a user, else with the credentials
// of the client. A lost answer did no harm.
func (l *login) grant(ctx context.Context) dispatch.Outcome {
	s := l.settings
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.ClientID}, "client_secret": {string(s.ClientSecret)}}
	if s.Password != "" {
		form.Set("grant_type", "password")
		form.Set("username", s.Username)
		form.Set("password", string(s.Password))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.base+tokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		return dispatch.Refused(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	c := call.New(l.client, l.mask(""))
	if response, err := c.Do(r); err == nil {
		_ = response.Body.Close() // the call has read it
	}
	return l.take(c)
}

// take keeps the token of an answer. What is recorded of an answer that holds one
// says nothing of it.
func (l *login) take(c *call.Call) dispatch.Outcome {
	out := c.Outcome()
	switch {
	case c.Status() == http.StatusUnauthorized, c.Status() == http.StatusBadRequest, c.Status() == http.StatusForbidden:
		return dispatch.Misconfigured(c.Error(joined(fault(c.Body()), l.remedy()))).Over(c.Exchange())
	case out.Kind() == dispatch.OutcomeUncertain:
		return dispatch.Deferred(out.Err()).Over(out.Exchange())
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	}
	var answer struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	if json.Unmarshal(c.Body(), &answer) != nil || answer.Token == "" || strings.ContainsFunc(answer.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		kept := c.Exchange()
		kept.Response = "" // it may hold a token that could not be read
		return dispatch.Deferred(c.Masked("oauth_token.do answered without a token")).Over(kept)
	}
	l.bearer, l.ends = answer.Token, time.Now().Add(time.Duration(min(max(answer.Expires, 60), 86_400))*time.Second)
	return out
}

// remedy says what to check when the instance does not know who we are.
func (l *login) remedy() string {
	switch s := l.settings; {
	case s.ClientID == "":
		return "settings.username or secrets.password is not accepted; check both, and that the user is active and not locked out"
	case s.Password == "":
		return "settings.clientId or secrets.clientSecret is not accepted; check both, and that the instance allows the grant of client credentials"
	default:
		return "the OAuth client or the user is not accepted; check settings.clientId, secrets.clientSecret, settings.username and secrets.password"
	}
}

// mask hides the secrets and the token of a credential.
func (l *login) mask(credential string) call.Mask {
	_, token, _ := strings.Cut(credential, " ")
	_, coded, _ := strings.Cut(string(l.settings.WebhookSecret), "_")
	return call.Hide(string(l.settings.Password), string(l.settings.ClientSecret), string(l.settings.WebhookSecret), coded, token)
}

// isOwn tells whether a user is that of this actor.
func (l *login) isOwn(user string) bool {
	return user != "" && strings.EqualFold(user, l.settings.Username)
}

// reads tells of the requests that change nothing: to get, and to log in.
func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, tokenPath)
}
