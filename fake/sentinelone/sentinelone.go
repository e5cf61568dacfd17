// Package sentinelone is a SentinelOne console as its Web API v2.1 shows it: threats with their notes, hosts that are cut
// off and let back in, a blocklist, and Unified Alerts by GraphQL. Analysts work in it, too. It finds no malware.
//
// Sources: the Swagger reference of the API and public clients of it, as the files in testdata say; what they mark as
// inferred is inferred here.
package sentinelone

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tocsin/fake"
)

const base = "/web/api/v2.1"

// Options of a console. The zero value is one without anything in it.
type Options struct {
	Token   string           // default token-of-the-fake
	Lacking []string         // permissions that the token's role lacks, such as Threats.updateIncidentStatus
	Limits  bool             // refuse calls that are over the limits of the API
	Now     func() time.Time // default time.Now
	Late    int              // how many reads of an alert still show what was before a write
}

// Console is the fake; its API is under URL() + "/web/api/v2.1".
type Console struct {
	*fake.Server

	o Options

	mu      sync.Mutex
	threats []*Threat
	hosts   []*Host
	alerts  []*Alert
	blocked []Blocked
	cursors map[string]int // opaque text to the place where the next page begins
	serial  int
	moved   time.Time // the latest updatedAt that was given out
	turns   map[string]*rate.Limiter
}

// New makes a console; Start or Serve opens it.
func New(o Options) *Console {
	if o.Token == "" {
		o.Token = "token-of-the-fake"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Console{o: o, cursors: map[string]int{}, turns: map[string]*rate.Limiter{}}
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /system/info":                   c.info,
		"GET /users/viewer-auth-check":       c.authCheck,
		"GET /threats":                       c.listThreats,
		"GET /threats/{id}/notes":            c.listNotes,
		"POST /threats/notes":                c.postNote,
		"POST /threats/incident":             c.postIncident,
		"POST /threats/analyst-verdict":      c.postVerdict,
		"POST /threats/external-ticket-id":   c.postTicketID,
		"POST /threats/mitigate/{action}":    c.postMitigation,
		"GET /agents":                        c.listHosts,
		"POST /agents/actions/disconnect":    c.network("connected", "disconnecting", "Endpoints.disconnectFromNetwork"),
		"POST /agents/actions/connect":       c.network("disconnected", "connecting", "Endpoints.reconnectToNetwork"),
		"POST /agents/actions/initiate-scan": c.postScan,
		"POST /restrictions":                 c.postRestriction,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+base+path, c.allowed("apitoken", handler))
	}
	mux.HandleFunc("GET "+base+"/system/status", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, object{"data": object{"health": "ok"}}) // needs no token
	})
	mux.HandleFunc("POST "+base+"/unifiedalerts/graphql", c.allowed("bearer", c.graphql))
	mux.HandleFunc(base+"/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "Not found", "Not found") })
	c.Server = fake.NewServer(mux)
	return c
}

type object = map[string]any

func reply(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// refuse answers in the envelope of an error, whose code is made of the status.
func refuse(w http.ResponseWriter, status int, title string, detail any) {
	reply(w, status, object{"errors": []object{{"code": status*10000 + 10, "title": title, "detail": detail}}})
}

func affected(w http.ResponseWriter, n int) {
	reply(w, http.StatusOK, object{"data": object{"affected": n}})
}

// allowed lets in who names the token under the scheme, in whatever case, and is within the limits.
func (c *Console) allowed(scheme string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		given, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case !strings.EqualFold(given, scheme) || token != c.o.Token:
			refuse(w, http.StatusUnauthorized, "Authentication Failed", nil)
		case c.o.Limits && !c.turn(strings.TrimPrefix(r.URL.Path, base)):
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "Too Many Requests", "Too many requests")
		default:
			next(w, r)
		}
	}
}

// quotas are calls a second and the burst by the beginning of the path, the longest first.
var quotas = []struct {
	prefix string
	rate   rate.Limit
	burst  int
}{
	{"/threats/", 100, 1000}, {"/threats", 10, 50}, {"/agents", 25, 1}, {"/users", 40, 80},
}

func (c *Console) turn(path string) bool {
	for _, l := range quotas {
		if !strings.HasPrefix(path, l.prefix) {
			continue
		}
		if c.turns[l.prefix] == nil {
			c.turns[l.prefix] = rate.NewLimiter(l.rate, l.burst)
		}
		return c.turns[l.prefix].Allow()
	}
	return true
}

// lacks refuses what the token's role may not do.
func (c *Console) lacks(w http.ResponseWriter, right string) bool {
	if !slices.Contains(c.o.Lacking, right) {
		return false
	}
	refuse(w, http.StatusForbidden, "Forbidden", "Insufficient permissions")
	return true
}

func (c *Console) info(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, object{"data": object{"build": "25", "version": "S-25.4.3", "release": "SP1", "patch": "3"}})
}

func (c *Console) authCheck(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, object{"data": object{"success": true}})
}

// now is the console's time, later at each call.
func (c *Console) now() time.Time {
	at := c.o.Now().UTC().Truncate(time.Microsecond)
	if !at.After(c.moved) {
		at = c.moved.Add(time.Microsecond)
	}
	c.moved = at
	return at
}

const stamp = "2006-01-02T15:04:05.000000Z"
