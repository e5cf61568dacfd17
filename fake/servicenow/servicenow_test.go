package servicenow_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tocsin/fake/servicenow"
)

const table = "/api/now/table/incident"

// ask makes one call as the user; the answer is read as JSON where it is some.
func ask(i *servicenow.Instance, method, path, body string) (*httptest.ResponseRecorder, map[string]any) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.SetBasicAuth("tocsin", "password-of-the-fake")
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // a web page is none
	return w, answer
}

// ids are the sys_ids that a query finds.
func ids(i *servicenow.Instance, query, more string) (string, string) {
	w, answer := ask(i, http.MethodGet, table+"?sysparm_fields=sys_id&sysparm_query="+url.QueryEscape(query)+more, "")
	var out []string
	rows, _ := answer["result"].([]any)
	for _, row := range rows {
		out = append(out, strings.TrimLeft(row.(map[string]any)["sys_id"].(string)[16:], "0"))
	}
	return strings.Join(out, " "), w.Header().Get("X-Total-Count")
}

// TestQuery: conditions, orders and pages; a condition that names no column is left
// out, and what is hidden is counted.
func TestQuery(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	i := servicenow.New(servicenow.Options{Now: func() time.Time { return at }})
	var all []string
	for n, state := range []string{"1", "2", "2", "6"} {
		at = at.Add(time.Second)
		all = append(all, i.Add("incident", "admin", map[string]string{"state": state, "category": fmt.Sprint(9 - n)}))
	}
	i.Hide(all[2])
	for _, row := range []struct{ query, more, want, total string }{
		{"", "", "1 2 4", "4"},
		{"state=2", "", "2", "2"},
		{"stateIN1,6^ORDERBYDESCcategory", "", "1 4", "2"},
		{"sys_updated_on>=2026-11-22 09:30:03^ORDERBYsys_updated_on", "", "4", "2"},
		{"ORDERBYcategory", "&sysparm_limit=2&sysparm_offset=1", "2", "4"},
		{"no_such_column=1^state=6", "", "4", "1"},
		{"stateUNKNOWN1", "", "", "0"},
	} {
		if got, total := ids(i, row.query, row.more); got != row.want || total != row.total {
			t.Errorf("%q: %q of %s, want %q of %s", row.query, got, total, row.want, row.total)
		}
	}
}

// TestWrites: an update is counted, its time has whole seconds, notes go to the
// journal, and what cannot be kept is not said.
func TestWrites(t *testing.T) {
	i := servicenow.New(servicenow.Options{})
	w, answer := ask(i, http.MethodPost, table+"?sysparm_display_value=all", `{"short_description": "x", "assignment_group": "nobody", "u_new": "1"}`)
	made := answer["result"].(map[string]any)
	id := made["sys_id"].(map[string]any)["value"].(string)
	if w.Code != http.StatusCreated || made["assignment_group"].(map[string]any)["value"] != "" || made["u_new"] != nil || len(id) != 32 {
		t.Errorf("%d %v", w.Code, made)
	}
	_, answer = ask(i, http.MethodPatch, table+"/"+id+"?sysparm_display_value=all", `{"state": "2", "work_notes": "hello"}`)
	changed := answer["result"].(map[string]any)
	if got := fmt.Sprint(changed["state"], changed["sys_mod_count"]); got != "map[display_value:In Progress value:2] map[display_value:1 value:1]" {
		t.Errorf("changed to %s", got)
	}
	if notes := i.Notes(id); len(notes) != 1 || notes[0].Text != "hello" || notes[0].By != "tocsin" || changed["work_notes"] != nil {
		t.Errorf("notes %+v", notes)
	}
	if _, err := time.Parse("2006-01-02 15:04:05", i.Record(id).Columns["sys_updated_on"]); err != nil {
		t.Error(err)
	}
}

// TestRefusals: each in the envelope of an error, or not heard at all.
func TestRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		o      servicenow.Options
		body   string
		status int
		state  string
	}{
		"close code": {servicenow.Options{CloseCodes: []string{"Duplicate"}}, `{"state": "6", "close_code": "Fixed", "close_notes": "x"}`, 403, "7"},
		"no role":    {servicenow.Options{NoWrite: true}, `{"state": "6"}`, 403, "7"},
		"undone":     {servicenow.Options{Undone: []string{"state"}}, `{"state": "2"}`, 200, "7"},
		"final":      {servicenow.Options{Final: true}, `{"state": "2"}`, 200, "7"},
		"no JSON":    {servicenow.Options{}, `state=2`, 400, "7"},
		"kept":       {servicenow.Options{}, `{"state": "2"}`, 200, "2"},
	} {
		i := servicenow.New(row.o)
		id := i.Add("incident", "admin", map[string]string{"state": "7"})
		w, answer := ask(i, http.MethodPatch, table+"/"+id, row.body)
		if w.Code != row.status || i.Record(id).Columns["state"] != row.state || (w.Code >= 400) != (answer["status"] == "failure") {
			t.Errorf("%s: %d %s, state %s", name, w.Code, w.Body, i.Record(id).Columns["state"])
		}
	}
	i := servicenow.New(servicenow.Options{NoJournal: true})
	for path, status := range map[string]int{table + "/unknown": 404, "/api/now/table/sys_journal_field": 403, "/api/now/nothing": 400} {
		if w, _ := ask(i, http.MethodGet, path, ""); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
}

// TestLogin: by password, by a token that was granted, and by no other.
func TestLogin(t *testing.T) {
	i := servicenow.New(servicenow.Options{ClientID: "c", ClientSecret: "s"})
	grant := func(form string) (int, string) {
		r := httptest.NewRequest(http.MethodPost, "/oauth_token.do", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		i.ServeHTTP(w, r)
		var answer struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Error(err)
		}
		return w.Code, answer.Token
	}
	as := func(authorization string) int {
		r := httptest.NewRequest(http.MethodGet, table, nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		i.ServeHTTP(w, r)
		return w.Code
	}
	for form, want := range map[string]int{
		"grant_type=password&client_id=c&client_secret=s&username=tocsin&password=password-of-the-fake": 200,
		"grant_type=client_credentials&client_id=c&client_secret=s":                                     200,
		"grant_type=client_credentials&client_id=c&client_secret=x":                                     401,
		"grant_type=password&client_id=c&client_secret=s&username=tocsin&password=x":                    401,
	} {
		status, token := grant(form)
		if status != want || (status == 200) != (as("Bearer "+token) == 200) {
			t.Errorf("%s: %d, then %d", form, status, as("Bearer "+token))
		}
		i.EndTokens()
		if as("Bearer "+token) != 401 {
			t.Error("a token works that has ended")
		}
	}
	i.Sleep()
	if w, _ := ask(i, http.MethodGet, table, ""); w.Code != 200 || !strings.Contains(w.Body.String(), "Hibernating") {
		t.Errorf("asleep: %d %s", w.Code, w.Body)
	}
	i.Wake()
	if w, _ := ask(i, http.MethodGet, table, ""); w.Header().Get("X-Total-Count") != "0" {
		t.Errorf("awake: %d %s", w.Code, w.Body)
	}
}
