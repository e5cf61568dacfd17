package pagerduty

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Codes of errors. Source: developer.pagerduty.com, errors.
const (
	codeAlreadyResolved     = 1001
	codeAlreadyAcknowledged = 1002
	codeNoSuchUser          = 1008
	codeInvalid             = 2001
	codeUnauthorized        = 2006
	codeForbidden           = 2010
	codeRateLimit           = 2020
	codeNotFound            = 2100
)

func refuse(w http.ResponseWriter, status, code int, message string, errors ...string) {
	e := object{"message": message, "code": code}
	if len(errors) > 0 {
		e["errors"] = errors
	}
	reply(w, status, object{"error": e})
}

// allowed lets a REST call through that has the key, as often as the key may.
func (a *Account) allowed(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		got := r.Header.Get("Authorization")
		switch {
		case got != "Token token="+a.o.APIKey && got != "Bearer "+a.o.APIKey:
			refuse(w, http.StatusUnauthorized, codeUnauthorized, "Authentication failed")
		case a.o.ReadOnly && r.Method != http.MethodGet:
			refuse(w, http.StatusForbidden, codeForbidden, "Access Denied")
		case !a.count(w.Header()):
			refuse(w, http.StatusTooManyRequests, codeRateLimit, "Rate Limit Exceeded")
		default:
			handler(w, r)
		}
	}
}

// count counts a call and says in the header how many are left in this minute.
func (a *Account) count(h http.Header) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.o.Now()
	if now.Sub(a.window) >= time.Minute {
		a.window, a.used = now, 0
	}
	a.used++
	h.Set("Ratelimit-Limit", strconv.Itoa(a.o.RateLimit))
	h.Set("Ratelimit-Remaining", strconv.Itoa(max(0, a.o.RateLimit-a.used)))
	h.Set("Ratelimit-Reset", strconv.Itoa(int((time.Minute-now.Sub(a.window)+time.Second-1)/time.Second)))
	return a.used <= a.o.RateLimit
}

// abilities is what clients call to check a key; it works with any key of the account.
func (a *Account) abilities(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, object{"abilities": []string{"teams", "urgencies", "advanced_permissions"}})
}

// me is the user of the key. What an account's key is answered is assumed.
func (a *Account) me(w http.ResponseWriter, _ *http.Request) {
	if a.o.AccountKey {
		refuse(w, http.StatusBadRequest, codeInvalid, "Invalid Input Provided", "The token is not that of a user")
		return
	}
	u := a.o.Users[0]
	user := object{
		"name": u.Name, "email": u.Email, "time_zone": "Etc/UTC", "color": "green", "role": "limited_user",
		"avatar_url": "https://example.com/a.png", "description": "", "invitation_sent": false, "job_title": "",
		"contact_methods": []object{}, "notification_rules": []object{}, "teams": []object{},
	}
	maps.Copy(user, u.reference())
	user["type"] = "user"
	reply(w, http.StatusOK, object{"user": user})
}

// page answers a list, cut by limit and offset.
func page(w http.ResponseWriter, query url.Values, name string, all []object) {
	limit, offset := 25, 0
	for name, to := range map[string]*int{"limit": &limit, "offset": &offset} {
		if text := query.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				refuse(w, http.StatusBadRequest, codeInvalid, "Invalid Input Provided", name+" is not a number")
				return
			}
			*to = n
		}
	}
	limit = min(limit, 100)
	if limit+offset > 10_000 {
		refuse(w, http.StatusBadRequest, codeInvalid, "Invalid Input Provided", "Offset must be less than 10000")
		return
	}
	var total any
	if query.Get("total") == "true" {
		total = len(all)
	}
	from := min(offset, len(all))
	to := min(from+limit, len(all))
	reply(w, http.StatusOK, object{
		name: append([]object{}, all[from:to]...), "limit": limit, "offset": offset, "total": total, "more": to < len(all),
	})
}

// listIncidents filters by the keys of alerts too. An empty key is no filter: it gives all. Source of that: an issue of
// streamalert.
func (a *Account) listIncidents(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	a.mu.Lock()
	defer a.mu.Unlock()
	since := a.o.Now().AddDate(0, -1, 0)
	if query.Get("date_range") == "all" {
		since = time.Time{}
	}
	if at, err := time.Parse(time.RFC3339, query.Get("since")); err == nil {
		since = at
	}
	all := []object{}
	for i := range a.incidents {
		it := &a.incidents[i]
		key, statuses, services := query.Get("incident_key"), query["statuses[]"], query["service_ids[]"]
		has := slices.ContainsFunc(it.Alerts, func(x Alert) bool { return x.DedupKey == key })
		switch {
		case !a.isSeen(it), it.opened.Before(since), key != "" && !has,
			len(statuses) > 0 && !slices.Contains(statuses, it.Status), len(services) > 0 && !slices.Contains(services, "PSVC001"):
		default:
			all = append(all, a.shown(it))
		}
	}
	if strings.HasSuffix(query.Get("sort_by"), ":desc") {
		slices.Reverse(all)
	}
	page(w, query, "incidents", all)
}

func (a *Account) getIncident(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.incident(r.PathValue("id")); i != nil {
		reply(w, http.StatusOK, object{"incident": a.shown(i)})
		return
	}
	refuse(w, http.StatusNotFound, codeNotFound, "Not Found")
}

func (a *Account) listAlerts(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.incident(r.PathValue("id"))
	if i == nil {
		refuse(w, http.StatusNotFound, codeNotFound, "Not Found")
		return
	}
	all := []object{}
	for _, it := range i.Alerts {
		if key := r.URL.Query().Get("alert_key"); key == "" || key == it.DedupKey {
			all = append(all, a.alert(i, it))
		}
	}
	page(w, r.URL.Query(), "alerts", all)
}

// requester is in whose name a write is made; a key of a user needs no From.
func (a *Account) requester(w http.ResponseWriter, r *http.Request) (agent, bool) {
	from := r.Header.Get("From")
	if from == "" && !a.o.AccountKey {
		return a.o.Users[0].reference(), true
	}
	if from == "" {
		refuse(w, http.StatusBadRequest, codeInvalid, "Invalid Input Provided", "You must specify a user's email address in the From header")
		return nil, false
	}
	at := slices.IndexFunc(a.o.Users, func(u User) bool { return u.Email == from })
	if at < 0 {
		refuse(w, http.StatusBadRequest, codeNoSuchUser, "Invalid Input Provided", "Requester User Not Found")
		return nil, false
	}
	return a.o.Users[at].reference(), true
}

// taken reads the body of a write; false when it is no JSON.
func taken(w http.ResponseWriter, r *http.Request, to any) bool {
	if err := json.NewDecoder(r.Body).Decode(to); err != nil {
		refuse(w, http.StatusBadRequest, codeInvalid, "Invalid Input Provided", "The body is not JSON of this call")
		return false
	}
	return true
}
