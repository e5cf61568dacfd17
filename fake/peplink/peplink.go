// Package peplink is Peplink's InControl 2 as its REST API shows it: OAuth2 tokens, the tree of organization, groups and
// devices, the clients that a router tells of, the event log, MAC access lists and reboots. It routes no packets.
//
// Sources: public clients of the API, as the files in testdata say; what they mark as inferred is inferred here.
package peplink

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tocsin/fake"
)

// Options of an InControl. The zero value has one organization without anything in it.
type Options struct {
	ClientID     string // default client-of-the-fake
	ClientSecret string // default secret-of-the-fake
	Token        string // an API token that is taken without a grant; default token-of-the-fake
	Organization string // default aBcDeF
	ReadOnly     bool   // the token's user may change nothing
	Limits       bool   // refuse calls over twenty a second
	Old          bool   // as an old appliance: 403 for too many calls, 401 for an unknown organization
	Frozen       bool   // writes of access lists are answered and have no effect
}

// InControl is the fake; its API is under URL().
type InControl struct {
	*fake.Server

	o Options

	mu      sync.Mutex
	granted map[string]bool
	grants  int
	groups  []group
	lists   map[string][]*List // by the id of the group
	events  map[string][]Event
	reboots []int
	turns   *rate.Limiter
}

// New makes an InControl; Start or Serve opens it.
func New(o Options) *InControl {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&o.ClientID, "client-of-the-fake"},
		{&o.ClientSecret, "secret-of-the-fake"},
		{&o.Token, "token-of-the-fake"},
		{&o.Organization, "aBcDeF"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	c := &InControl{o: o, granted: map[string]bool{o.Token: true}, lists: map[string][]*List{}, events: map[string][]Event{}, turns: rate.NewLimiter(20, 20)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/oauth2/token", c.grant)
	mux.HandleFunc("GET /rest/o", c.allowed(c.listOrganizations))
	const org, grp, dev = "/rest/o/{org}", "/rest/o/{org}/g/{grp}", "/rest/o/{org}/g/{grp}/d/{dev}"
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET " + org:                           c.organization,
		"GET " + org + "/g":                    c.listGroups,
		"GET " + grp:                           c.within(c.getGroup),
		"GET " + grp + "/d":                    c.within(c.listDevices),
		"GET " + dev:                           c.at(c.getDevice),
		"GET " + dev + "/devapi/status.client": c.at(c.listClients),
		"POST " + dev + "/tools/reboot":        c.writing(c.at(c.postReboot)),
		"GET " + grp + "/event_log":            c.within(c.listEvents),
		"GET " + grp + "/grouped_mac":          c.within(c.getLists),
		"PUT " + grp + "/grouped_mac":          c.writing(c.within(c.putList)),
	} {
		mux.HandleFunc(pattern, c.allowed(c.known(handler)))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "NOT_FOUND", "no such call")
	})
	c.Server = fake.NewServer(mux)
	return c
}

// Expire lets all granted tokens end.
func (c *InControl) Expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.granted)
}

// Grants is how often a token was granted.
func (c *InControl) Grants() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grants
}

type object = map[string]any

func send(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// reply answers in the envelope of a success.
func reply(w http.ResponseWriter, data any) {
	at := time.Now().UTC().Format(stamp)
	send(w, http.StatusOK, object{"resp_code": "SUCCESS", "caller_ref": "", "server_ref": "A1B2C3D4E5", "start_time": at, "end_time": at, "data": data})
}

const stamp = "2006-01-02T15:04:05"

func refuse(w http.ResponseWriter, status int, code, message string) {
	body := object{"resp_code": code}
	if message != "" {
		body["message"] = message
	}
	if status == http.StatusOK {
		body["caller_ref"], body["server_ref"] = "", "A1B2"
	}
	send(w, status, body)
}

// grant gives a token for the client's id and secret in a form. JSON is not taken.
func (c *InControl) grant(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	isForm := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	switch {
	case !isForm || r.PostFormValue("grant_type") != "client_credentials":
		send(w, http.StatusBadRequest, object{"error": "invalid_request"})
	case r.PostFormValue("client_id") != c.o.ClientID || r.PostFormValue("client_secret") != c.o.ClientSecret:
		send(w, http.StatusUnauthorized, object{"error": "invalid_client"})
	default:
		c.grants++
		token := fmt.Sprintf("c0ffee%026d", c.grants)
		c.granted[token] = true
		send(w, http.StatusOK, object{"access_token": token, "token_type": "Bearer", "expires_in": 172799, "refresh_token": "f" + token[1:]})
	}
}

// allowed lets in who carries a token and is within the limit.
func (c *InControl) allowed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case !isBearer || !c.granted[token]:
			refuse(w, http.StatusUnauthorized, "Unauthorized", "")
		case !c.o.Limits || c.turns.Allow():
			next(w, r)
		case c.o.Old:
			send(w, http.StatusForbidden, object{"message": "rate limit exceeded"})
		default:
			w.Header().Set("Retry-After", "1")
			send(w, http.StatusTooManyRequests, object{})
		}
	}
}

// known refuses other organizations.
func (c *InControl) known(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.PathValue("org") == c.o.Organization:
			next(w, r)
		case c.o.Old:
			refuse(w, http.StatusUnauthorized, "Unauthorized", "")
		default:
			refuse(w, http.StatusNotFound, "NOT_FOUND", "organization not found")
		}
	}
}

// writing refuses a user who may change nothing.
func (c *InControl) writing(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if c.o.ReadOnly {
			refuse(w, http.StatusForbidden, "NO_PRIVILEGE", "no privilege")
			return
		}
		next(w, r)
	}
}
