// Package jira is a Jira Cloud site as its REST API v3 and its admin webhooks show it. Issues are made, commented and
// moved through the workflow of their project; people work on them too, and what happens is told to webhooks, signed and
// again until it is taken. There are no boards, no permissions of single people and no fields beyond those of an issue.
//
// Sources: developer.atlassian.com, "The Jira Cloud platform REST API" v3 and "Webhooks", as of 2026; what is marked so, an
// assumption.
package jira

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"tocsin/fake"
)

// Options of a site. The zero value is one with a project SEC and three people.
type Options struct {
	Email, Token string    // of the account that calls; default bot@example.com and token-of-the-fake
	Bearer       string    // a token that is taken without an email
	People       []Person  // default a bot, Jane Doe and John Roe; the first one is the account that calls
	Projects     []Project // default SEC, a simple workflow

	LetsIn      bool          // who is not known is let in as nobody, who sees no issue, as Jira does where a site is public
	SearchDelay time.Duration // after which a search finds what was made or changed
	PageMost    int           // issues on a page of a search; default 100
	NoAdmin     bool          // the account may not make webhooks

	Client     *http.Client     // sends webhooks; default one of its own
	RetryEvery time.Duration    // between two tries of a webhook; default a second
	Now        func() time.Time // default time.Now
}

// Person is a user of the site.
type Person struct{ ID, Name string }

func (o Options) withDefaults() Options {
	if o.Email == "" {
		o.Email = "bot@example.com"
	}
	if o.Token == "" {
		o.Token = "token-of-the-fake"
	}
	if o.People == nil {
		o.People = []Person{{"5b10ac8d82e05b22cc7d4ef5", "Alert Bot"}, {"5b10a2844c20165700ede21g", "Jane Doe"}, {"5b109f2e9729b51b54dc274d", "John Roe"}}
	}
	if o.Projects == nil {
		o.Projects = []Project{Simple("SEC")}
	}
	if o.PageMost == 0 {
		o.PageMost = 100
	}
	if o.RetryEvery == 0 {
		o.RetryEvery = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Site is the fake: the REST API under URL() + "/rest/api/3/".
type Site struct {
	*fake.Server
	// Webhooks holds every try to send one.
	Webhooks fake.Log[Webhook]

	o    Options
	post *post

	mu            sync.Mutex
	issues        []*Issue
	subscriptions []subscription
	serial        int // of issues, over all projects
	changes       int // of changelogs
}

// New makes a site; Start or Serve opens it.
func New(o Options) *Site {
	s := &Site{o: o.withDefaults(), serial: 10000}
	s.post = newPost(s)
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /rest/api/3/issue/{id}":                  s.readIssue,
		"GET /rest/api/3/issue/{id}/transitions":      s.listTransitions,
		"POST /rest/api/3/issue/{id}/transitions":     s.doTransition,
		"GET /rest/api/3/issue/{id}/comment":          s.listComments,
		"POST /rest/api/3/issue/{id}/comment":         s.addComment,
		"GET /rest/api/3/issue/{id}/properties/{key}": s.readProperty,
		"POST /rest/api/3/issue":                      s.createIssue,
		"POST /rest/api/3/issue/bulkfetch":            s.fetchIssues,
		"POST /rest/api/3/search/jql":                 s.search,
		"GET /rest/api/3/myself":                      s.myself,
		"POST /rest/webhooks/1.0/webhook":             s.register,
		"/":                                           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
	} {
		mux.HandleFunc(pattern, s.allowed(handler))
	}
	s.Server = fake.NewServer(mux)
	return s
}

// Close ends the site: it sends no webhook any more and returns when none is on its way.
func (s *Site) Close() error {
	s.post.close()
	return s.Server.Close()
}

// object is a JSON object of an answer.
type object = map[string]any

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// refuse answers as Jira says what is wrong: messages on the whole, and errors by field.
func refuse(w http.ResponseWriter, status int, message string, errors map[string]string) {
	messages := []string{}
	if message != "" {
		messages = append(messages, message)
	}
	if errors == nil {
		errors = map[string]string{}
	}
	reply(w, status, object{"errorMessages": messages, "errors": errors})
}

const noIssue = "Issue does not exist or you do not have permission to see it."

// allowed lets in who has the token. Who has another one is refused, or let in as nobody.
func (s *Site) allowed(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		email, token, _ := r.BasicAuth()
		isKnown := email == s.o.Email && token == s.o.Token || s.o.Bearer != "" && r.Header.Get("Authorization") == "Bearer "+s.o.Bearer
		switch {
		case isKnown:
			handler(w, r)
		case !s.o.LetsIn || r.URL.Path == "/rest/api/3/myself":
			w.Header().Set("WWW-Authenticate", `OAuth realm="https%3A%2F%2Fexample.atlassian.net"`)
			refuse(w, http.StatusUnauthorized, "Client must be authenticated to access this resource.", nil)
		case r.URL.Path == "/rest/api/3/issue/bulkfetch" || r.URL.Path == "/rest/api/3/search/jql":
			reply(w, http.StatusOK, object{"issues": []object{}, "issueErrors": []object{}, "isLast": true})
		default:
			refuse(w, http.StatusNotFound, noIssue, nil)
		}
	}
}

func (s *Site) myself(w http.ResponseWriter, _ *http.Request) {
	me := s.o.People[0]
	reply(w, http.StatusOK, object{
		"self": s.URL() + "/rest/api/3/user?accountId=" + me.ID, "accountId": me.ID, "accountType": "atlassian",
		"emailAddress": s.o.Email, "displayName": me.Name, "active": true, "timeZone": "Australia/Sydney", "locale": "en_US",
	})
}

func (s *Site) person(id string) (Person, bool) {
	for _, p := range s.o.People {
		if p.ID == id {
			return p, true
		}
	}
	return Person{}, false
}

// reference is how a user stands in an answer.
func (p Person) reference() object {
	return object{"accountId": p.ID, "accountType": "atlassian", "displayName": p.Name, "active": true, "timeZone": "Etc/UTC"}
}
