// Package servicenow is a ServiceNow instance as its Table API shows it: records of tables that extend task, with their
// journal, users, OAuth tokens, and the ways in which an instance does not do what it was asked. People work in it, too,
// and a business rule tells of it. It runs no scripts.
//
// Sources: ServiceNow's documentation of the Table API and public clients of it; nothing was compared with a live instance.
package servicenow

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tocsin/fake"
)

const base = "/api/now/table/"

// Options of an instance. The zero value is one without anything in it, where tocsin logs in with password-of-the-fake.
type Options struct {
	Username     string // default tocsin
	Password     string // default password-of-the-fake
	ClientID     string // of an OAuth client; with one, Basic still works
	ClientSecret string
	CloseCodes   []string         // with some, a data policy wants one of them and notes with state 6 or 7
	Undone       []string         // columns whose writes over the API a business rule undoes, such as state
	Final        bool             // nobody but an administrator leaves the states 7 and 8; writes are not heard
	NoJournal    bool             // the user may not read sys_journal_field
	NoWrite      bool             // an access control refuses all writes
	Now          func() time.Time // default time.Now
}

// Instance is the fake; its API is under URL() + "/api/now/table/".
type Instance struct {
	*fake.Server

	o Options

	mu      sync.Mutex
	records []*Record
	journal []Note
	hidden  map[string]bool
	tokens  map[string]bool
	serial  int
	asleep  bool
}

// Record is a row of a table: its columns by their names.
type Record struct {
	Table   string
	Columns map[string]string
}

// Note is a work note.
type Note struct {
	SysID, By, Text string
	At              time.Time
}

// New makes an instance; Start or Serve opens it.
func New(o Options) *Instance {
	if o.Username == "" {
		o.Username = "tocsin"
	}
	if o.Password == "" {
		o.Password = "password-of-the-fake"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	i := &Instance{o: o, hidden: map[string]bool{}, tokens: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth_token.do", i.grant)
	mux.HandleFunc("GET "+base+"{table}", i.allowed(i.list))
	mux.HandleFunc("POST "+base+"{table}", i.allowed(i.insert))
	mux.HandleFunc("GET "+base+"{table}/{id}", i.allowed(i.read))
	mux.HandleFunc("PATCH "+base+"{table}/{id}", i.allowed(i.patch))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusBadRequest, "Requested URI does not represent any resource", "")
	})
	i.Server = fake.NewServer(mux)
	return i
}

type object = map[string]any

func reply(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// refuse answers in the envelope of an error.
func refuse(w http.ResponseWriter, status int, message, detail string) {
	var told any
	if detail != "" {
		told = detail
	}
	reply(w, status, object{"error": object{"message": message, "detail": told}, "status": "failure"})
}

// Sleep makes the instance hibernate: each request is answered 200 with a web page. Wake ends it.
func (i *Instance) Sleep() { i.sleeps(true) }

// Wake ends a Sleep.
func (i *Instance) Wake() { i.sleeps(false) }

func (i *Instance) sleeps(is bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asleep = is
}

// EndTokens makes all tokens that were granted end at once.
func (i *Instance) EndTokens() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.tokens)
}

// allowed lets in who shows the password or a token.
func (i *Instance) allowed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		user, password, isBasic := r.BasicAuth()
		token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case i.asleep:
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html><head><title>Instance Hibernating page</title></head><body>Your instance is hibernating.</body></html>"))
		case isBasic && user == i.o.Username && password == i.o.Password, isBearer && i.tokens[token]:
			next(w, r)
		default:
			refuse(w, http.StatusUnauthorized, "User Not Authenticated", "Required to provide Auth information")
		}
	}
}

// grant gives a token for a password, or for the client's own credentials.
func (i *Instance) grant(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	client := i.o.ClientID != "" && r.PostFormValue("client_id") == i.o.ClientID && r.PostFormValue("client_secret") == i.o.ClientSecret
	user := r.PostFormValue("grant_type") == "client_credentials" ||
		r.PostFormValue("grant_type") == "password" && r.PostFormValue("username") == i.o.Username && r.PostFormValue("password") == i.o.Password
	if !client || !user {
		reply(w, http.StatusUnauthorized, object{"error": "server_error", "error_description": "access_denied"})
		return
	}
	token := "token-" + i.newID()
	i.tokens[token] = true
	reply(w, http.StatusOK, object{"access_token": token, "refresh_token": "refresh-" + token, "scope": "useraccount", "token_type": "Bearer", "expires_in": 1799})
}

func (i *Instance) newID() string {
	i.serial++
	return fmt.Sprintf("9d385017c6112287%016x", i.serial)
}

const stamp = "2006-01-02 15:04:05"

// touch is what every update does: whole seconds, and a count.
func (i *Instance) touch(r *Record, who string) {
	n, err := strconv.Atoi(r.Columns["sys_mod_count"])
	if err != nil {
		n = -1
	}
	r.Columns["sys_mod_count"] = strconv.Itoa(n + 1)
	r.Columns["sys_updated_on"] = i.o.Now().UTC().Format(stamp)
	r.Columns["sys_updated_by"] = who
}

// Add puts a record in that was not made over the API, and returns its sys_id.
func (i *Instance) Add(table, who string, columns map[string]string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.add(table, who, columns).Columns["sys_id"]
}

func (i *Instance) add(table, who string, columns map[string]string) *Record {
	r := &Record{table, map[string]string{
		"sys_id": i.newID(), "sys_class_name": table, "state": "1", "sys_created_by": who, "urgency": "3", "impact": "3",
		"number": fmt.Sprintf("INC%07d", 10_000+i.serial),
	}}
	for name, value := range columns {
		if slices.Contains(columnsOf, name) {
			r.Columns[name] = value
		}
	}
	r.Columns["assignment_group"] = groups[r.Columns["assignment_group"]] // a name that is none leaves it empty
	i.touch(r, who)
	i.records = append(i.records, r)
	return r
}

// groups are those that there are, by name.
var groups = map[string]string{"Network": "287ebd7da9fe198100f92cc8d1d2154e", "Security Operations": "8a4dde73c6112278017a6a4baf547aa7"}

// columnsOf are those of all tables here; others are not heard of.
var columnsOf = []string{
	"sys_id", "sys_class_name", "number", "state", "short_description", "description", "urgency", "impact", "category", "assignment_group",
	"assigned_to", "caller_id", "contact_type", "correlation_id", "correlation_display", "close_code", "close_notes", "work_notes",
	"sys_created_by", "sys_updated_by", "sys_updated_on", "sys_mod_count",
}

func (i *Instance) find(id string) *Record {
	for _, r := range i.records {
		if r.Columns["sys_id"] == id {
			return r
		}
	}
	return nil
}
