// Package slack is a Slack workspace as it shows itself to one app: its Web API posts and updates messages within Slack's
// limits, knows some channels and people, and answers errors with HTTP 200 as Slack does; its people click buttons, which
// reaches the app by a signed request or over Socket Mode. It sends no events and has no rate limits of its own; a script
// plays those that a test needs.
//
// Sources: docs.slack.dev as of 2026, and for what is marked so, issue trackers of Slack's own SDKs.
package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/fake"
)

// Options of a workspace. The zero value is a workspace of two members and four channels, see New.
type Options struct {
	Token    string    // the bot's; default xoxb-fake
	Scopes   []string  // what the bot may; default all that the methods here need, but chat:write.public
	Channels []Channel // default #alerts, #sre-private, #not-joined and #old
	Users    []User    // default Jane Doe and Omar Diaz
	PageSize int       // caps pages of lists, which may be shorter than asked; default no cap

	AppToken       string        // for Socket Mode; default xapp-fake
	SigningSecret  string        // of the app; default 8f742231b10e8888abcd99yyyzzz85a5, as in Slack's documentation
	Sockets        net.Listener  // where Socket Mode connects to; default a port of loopback, opened when it is asked for
	PingEvery      time.Duration // between two pings of a WebSocket; default 10 seconds
	OrganizationID string        // of an Enterprise Grid that the workspace is in; default none
}

// Channel is a conversation of the workspace.
type Channel struct {
	ID, Name string
	Private  bool
	Archived bool
	Member   bool // the bot is in it
}

// User is a person of the workspace; the bot can write to them by ID.
type User struct{ ID, Name, RealName, Email string }

// The bot and its workspace, as auth.test and messages name them.
const (
	teamID = "T0001"
	appID  = "A0APP0001"
	botID  = "B0BOT0001"
	userID = "U0BOT0001"
)

// Workspace is the fake. Its methods are under URL() + "/api/".
type Workspace struct {
	*fake.Server
	o Options

	mu       sync.Mutex
	messages []Message
	last     map[string]int64 // channel → microseconds of its newest message
	request  string           // the app's Request URL for interactivity
	replies  map[string]*reply

	// Links has an entry for each WebSocket once its hello is sent, Acknowledged the id of each envelope that the app took.
	Links        fake.Log[string]
	Acknowledged fake.Log[string]

	sockets sockets
}

// New makes a workspace; Start or Serve opens it. Channels by default: alerts (C0ALERTS1) and the private sre-private
// (C0PRIV001), which the bot is in; not-joined (C0OTHER01), which it is not in; old (C0OLD0001), which is archived.
func New(o Options) *Workspace {
	w := &Workspace{o: o.filled(), last: map[string]int64{}, replies: map[string]*reply{}}
	life, end := context.WithCancel(context.Background())
	w.sockets = sockets{life: life, end: end}
	w.Server = fake.NewServer(http.HandlerFunc(w.serve))
	return w
}

func (o Options) filled() Options {
	if o.Token == "" {
		o.Token = "xoxb-fake"
	}
	if o.Scopes == nil {
		o.Scopes = []string{"chat:write", "channels:read", "groups:read", "users:read", "users:read.email", "channels:history", "groups:history"}
	}
	o.AppToken = cmp.Or(o.AppToken, "xapp-fake")
	o.SigningSecret = cmp.Or(o.SigningSecret, "8f742231b10e8888abcd99yyyzzz85a5")
	o.PingEvery = cmp.Or(o.PingEvery, 10*time.Second)
	if o.Channels == nil {
		o.Channels = []Channel{
			{ID: "C0ALERTS1", Name: "alerts", Member: true},
			{ID: "C0PRIV001", Name: "sre-private", Private: true, Member: true},
			{ID: "C0OTHER01", Name: "not-joined"},
			{ID: "C0OLD0001", Name: "old", Archived: true, Member: true},
		}
	}
	if o.Users == nil {
		o.Users = []User{
			{ID: "U061F7AUR", Name: "jane.doe", RealName: "Jane Doe", Email: "jane@example.com"},
			{ID: "U061F7AUS", Name: "omar.diaz", RealName: "Omar Diaz", Email: "omar@example.com"},
		}
	}
	return o
}

// object is a JSON object of an answer.
type object = map[string]any

// method is one Web API method: the scope it needs, if any, and what it does.
type method struct {
	scope string
	do    func(*Workspace, arguments) object
}

func methods() map[string]method {
	return map[string]method{
		"auth.test":          {"", (*Workspace).authTest},
		"chat.postMessage":   {"chat:write", (*Workspace).postMessage},
		"chat.update":        {"chat:write", (*Workspace).update},
		"conversations.list": {"channels:read", (*Workspace).listConversations},
		"conversations.info": {"channels:read", (*Workspace).conversationInfo},
		"users.info":         {"users:read", (*Workspace).userInfo},

		"users.conversations":   {"channels:read", (*Workspace).ownConversations},
		"conversations.history": {"", (*Workspace).history}, // its scope depends on the channel
		"conversations.replies": {"", (*Workspace).thread},
		openMethod:              {"", (*Workspace).openSocket},
	}
}

func (w *Workspace) serve(rw http.ResponseWriter, r *http.Request) {
	if name, found := strings.CutPrefix(r.URL.Path, replyPath); found {
		w.answerReply(rw, r, name)
		return
	}
	m, known := methods()[strings.TrimPrefix(r.URL.Path, "/api/")]
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("X-Oauth-Scopes", strings.Join(w.o.Scopes, ","))
	rw.Header().Set("X-Accepted-Oauth-Scopes", m.scope)
	answer := failure("unknown_method")
	if known {
		token := w.o.Token
		if r.URL.Path == "/api/"+openMethod {
			token = w.o.AppToken
		}
		answer = w.call(m, r, token)
	}
	if err := json.NewEncoder(rw).Encode(answer); err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
	}
}

func (w *Workspace) call(m method, r *http.Request, want string) object {
	args, problem := readArguments(r)
	if problem != "" {
		return failure(problem)
	}
	token := args["token"]
	if bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
		token = bearer
	}
	switch {
	case token == "":
		return failure("not_authed")
	case token != want:
		return failure("invalid_auth")
	case m.scope != "" && !w.may(m.scope):
		return w.missing(m.scope)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return m.do(w, args)
}

func (w *Workspace) may(scope string) bool { return slices.Contains(w.o.Scopes, scope) }

func (w *Workspace) authTest(arguments) object {
	answer := object{
		"ok": true, "url": "https://acme.slack.com/", "team": "Acme", "user": "tocsin",
		"team_id": teamID, "user_id": userID, "bot_id": botID, "is_enterprise_install": false,
	}
	if w.o.OrganizationID != "" {
		answer["enterprise_id"] = w.o.OrganizationID
	}
	return answer
}

func failure(code string) object { return object{"ok": false, "error": code} }

// Failure is a step that answers a request with HTTP 200 and ok:false, the way Slack reports nearly every error.
func Failure(code string) fake.Step {
	return fake.Step{
		Status: http.StatusOK, Body: fmt.Sprintf(`{"ok":false,"error":%q}`, code),
		Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"},
	}
}

// RateLimited is a step that answers 429 with this Retry-After; the header is left out when it is empty.
func RateLimited(retryAfter string) fake.Step {
	step := Failure("ratelimited")
	step.Status = http.StatusTooManyRequests
	if retryAfter != "" {
		step.Headers["Retry-After"] = retryAfter
	}
	return step
}

// Outage is a step that answers 503 with a page of HTML, as Slack does when it is down.
func Outage() fake.Step {
	return fake.Step{
		Status: http.StatusServiceUnavailable, Body: "<!DOCTYPE html><html><body>Slack is having trouble</body></html>",
		Headers: map[string]string{"Content-Type": "text/html; charset=utf-8"},
	}
}
