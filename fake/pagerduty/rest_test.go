package pagerduty_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/fake"
	"tocsin/fake/pagerduty"
)

// rest makes a REST call and returns the answer.
func rest(t *testing.T, a *pagerduty.Account, c *http.Client, method, path, from, body string) (int, any, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Token token=key-1")
	if from != "" {
		r.Header.Set("From", from)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if len(bytes.TrimSpace(raw)) > 0 {
		v = parse(t, string(raw))
	}
	return answer.StatusCode, v, answer.Header
}

// startWith opens an account for calls with the key key-1.
func startWith(t *testing.T, o pagerduty.Options) (*pagerduty.Account, *http.Client) {
	t.Helper()
	o.APIKey = "key-1"
	a := pagerduty.New(o)
	if err := a.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(func() { tr.CloseIdleConnections(); _ = a.Close() })
	return a, &http.Client{Transport: tr}
}

// unlike says where an answer lacks what the example has, or has it in another
// type. What is null on either side may be of any type, and lists are compared by
// their first item.
func unlike(path string, want, got any) []string {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %T", path, got)}
		}
		var all []string
		for name, value := range want {
			it, there := object[name]
			if !there {
				all = append(all, path+"."+name+" is missing")
			} else if value != nil && it != nil {
				all = append(all, unlike(path+"."+name, value, it)...)
			}
		}
		return all
	case []any:
		list, ok := got.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %T", path, got)}
		}
		if len(want) > 0 && len(list) > 0 {
			return unlike(path+"[0]", want[0], list[0])
		}
	default:
		if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
			return []string{fmt.Sprintf("%s is %T, not %T", path, got, want)}
		}
	}
	return nil
}

const incident = "Q0000000000001"

// TestRestAnswersLookAsThoseOfTheContract sends the examples' requests and
// compares keys and types of the answers.
func TestRestAnswersLookAsThoseOfTheContract(t *testing.T) {
	a, c := startWith(t, pagerduty.Options{})
	enqueue(t, a, c, file(t, "trigger.request"))
	body := func(name string) string {
		return strings.ReplaceAll(file(t, "rest/"+name), "Q1EXAMPLEINC01", incident)
	}
	for _, row := range []struct {
		method, path, request string
		status                int
		want                  string
	}{
		{"GET", "/abilities", "", 200, "GET_abilities.200"},
		{"GET", "/users/me", "", 200, "GET_users_me.200"},
		{"GET", "/incidents?incident_key=" + alertKey(t), "", 200, "GET_incidents_by_key.200"},
		{"GET", "/incidents?incident_key=none", "", 200, "GET_incidents_by_key.none.200"},
		{"PUT", "/incidents", body("PUT_incidents_ack.request"), 200, "PUT_incidents_ack.200"},
		{"GET", "/incidents/" + incident, "", 200, "GET_incident.200"},
		{"GET", "/incidents/1", "", 200, "GET_incident.200"},
		{"GET", "/incidents/" + incident + "/alerts", "", 200, "GET_incident_alerts.200"},
		{"POST", "/incidents/" + incident + "/notes", body("POST_note.request"), 200, "POST_note.200"},
		{"PUT", "/incidents", body("PUT_incidents_resolve.request"), 200, "PUT_incidents_resolve.200"},
		{"PUT", "/incidents", body("PUT_incidents_resolve.request"), 400, "400.already-resolved"},
		{"POST", "/webhook_subscriptions", body("POST_webhook_subscriptions.request"), 200, "POST_webhook_subscriptions.response"},
		{"GET", "/incidents/Q9", "", 404, "404"},
		{"GET", "/nothing", "", 404, "404"},
	} {
		status, got, h := rest(t, a, c, row.method, row.path, "", row.request)
		if diff := unlike("", parse(t, file(t, "rest/"+row.want)), got); status != row.status || len(diff) > 0 {
			t.Errorf("%s %s: status %d, %v", row.method, row.path, status, diff)
		}
		if h.Get("Ratelimit-Limit") != "960" || h.Get("Ratelimit-Remaining") == "" || h.Get("Ratelimit-Reset") == "" {
			t.Errorf("%s %s: rate limit headers %v", row.method, row.path, h)
		}
	}
}

func alertKey(t *testing.T) string {
	t.Helper()
	key, ok := parse(t, file(t, "trigger.request")).(map[string]any)["dedup_key"].(string)
	if !ok {
		t.Fatal("the example has no dedup_key")
	}
	return key
}

// TestRestRefusals: keys, users and limits are looked at.
func TestRestRefusals(t *testing.T) {
	put := fmt.Sprintf(`{"incidents":[{"id":%q,"type":"incident","status":"acknowledged"}]}`, incident)
	many := `{"incidents":[` + strings.Repeat(`{"id":"Q1","type":"incident"},`, 250) + `{"id":"Q1","type":"incident"}]}`
	for name, row := range map[string]struct {
		o                        pagerduty.Options
		method, path, from, body string
		status                   int
		want                     string
	}{
		"read-only key":       {pagerduty.Options{ReadOnly: true}, "PUT", "/incidents", "", put, 403, "403"},
		"unknown From":        {pagerduty.Options{}, "PUT", "/incidents", "nobody@example.com", put, 400, "400.requester-not-found"},
		"no From":             {pagerduty.Options{AccountKey: true}, "PUT", "/incidents", "", put, 400, "400.requester-not-found"},
		"whose account's key": {pagerduty.Options{AccountKey: true}, "GET", "/users/me", "", "", 400, "400.requester-not-found"},
		"type":                {pagerduty.Options{}, "PUT", "/incidents", "", strings.Replace(put, `"incident"`, `"thing"`, 1), 400, "400.requester-not-found"},
		"status":              {pagerduty.Options{}, "PUT", "/incidents", "", strings.Replace(put, `"acknowledged"`, `"closed"`, 1), 400, "400.requester-not-found"},
		"no JSON":             {pagerduty.Options{}, "PUT", "/incidents", "", "{", 400, "400.requester-not-found"},
		"251 incidents":       {pagerduty.Options{}, "PUT", "/incidents", "", many, 413, "404"},
		"too far":             {pagerduty.Options{}, "GET", "/incidents?offset=9990&limit=100", "", "", 400, "400.requester-not-found"},
		"rate limit":          {pagerduty.Options{RateLimit: -1}, "GET", "/abilities", "", "", 429, "429"},
		"events missing":      {pagerduty.Options{}, "POST", "/webhook_subscriptions", "", `{"webhook_subscription":{"type":"webhook_subscription"}}`, 400, "400.requester-not-found"},
	} {
		a, c := startWith(t, row.o)
		enqueue(t, a, c, file(t, "trigger.request"))
		status, got, _ := rest(t, a, c, row.method, row.path, row.from, row.body)
		if diff := unlike("", parse(t, file(t, "rest/"+row.want)), got); status != row.status || len(diff) > 0 {
			t.Errorf("%s: status %d, %v in %v", name, status, diff, got)
		}
	}
	a, c := startWith(t, pagerduty.Options{})
	if _, err := library(a, c, "other").ListAbilitiesWithContext(t.Context()); err == nil {
		t.Error("another key is taken")
	}
}

// TestPut acknowledges to the requester, opens what is resolved again, and says
// what is done already.
func TestPut(t *testing.T) {
	a, c := startWith(t, pagerduty.Options{AccountKey: true})
	enqueue(t, a, c, file(t, "trigger.request"))
	for _, step := range []struct {
		to        string
		code      float64
		status    string
		assignees []string
	}{
		{"acknowledged", 0, "acknowledged", []string{"PUSR002"}},
		{"acknowledged", 1002, "acknowledged", []string{"PUSR002"}},
		{"triggered", 0, "triggered", []string{"PUSR002"}},
		{"resolved", 0, "resolved", nil},
		{"resolved", 1001, "resolved", nil},
		{"acknowledged", 0, "acknowledged", []string{"PUSR002"}},
		{"resolved", 0, "resolved", nil},
		{"triggered", 0, "triggered", []string{"PUSR001"}},
	} {
		body := fmt.Sprintf(`{"incident":{"type":"incident_reference","status":%q}}`, step.to)
		_, answer, _ := rest(t, a, c, "PUT", "/incidents/"+incident, "john@example.com", body)
		code := 0.0
		if e, ok := answer.(map[string]any)["error"].(map[string]any); ok {
			code, _ = e["code"].(float64)
		}
		got := a.Incidents()[0]
		if code != step.code || got.Status != step.status || !slices.Equal(got.Assignees, step.assignees) {
			t.Errorf("%s: code %v, %s, assigned to %v; want %+v", step.to, code, got.Status, got.Assignees, step)
		}
	}
}

// TestListOfIncidents: the key is that of alerts, an empty one is no filter, and
// an incident is not seen at once; one that is older than a month only if asked for.
func TestListOfIncidents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := pagerduty.New(pagerduty.Options{APIKey: "key-1", IncidentDelay: time.Second})
		pipe := fake.NewPipe()
		a.Serve(pipe)
		c := &http.Client{Transport: &http.Transport{DialContext: pipe.DialContext}}
		defer func() { c.CloseIdleConnections(); _ = a.Close(); _ = pipe.Close() }()
		l := library(a, c, "key-1")
		ids := func(query string) string {
			_, answer, _ := rest(t, a, c, "GET", "/incidents?"+query, "", "")
			var out []string
			for _, i := range answer.(map[string]any)["incidents"].([]any) {
				out = append(out, i.(map[string]any)["id"].(string)[12:])
			}
			return strings.Join(out, " ")
		}
		send(t, l, "trigger", routingKey, "one", "s")
		send(t, l, "acknowledge", routingKey, "one", "")
		send(t, l, "trigger", routingKey, "two", "s")
		if got := ids("incident_key=one"); got != "" {
			t.Errorf("at once: %q", got)
		}
		<-time.After(time.Second) // the clock of the bubble
		for query, want := range map[string]string{
			"incident_key=one": "01", "incident_key=": "01 02", "incident_key=&sort_by=created_at:desc": "02 01", "statuses[]=acknowledged": "01",
			"service_ids[]=PX": "", "limit=1": "01", "limit=1&offset=1": "02", "incident_key=none": "",
		} {
			if got := ids(query); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		<-time.After(32 * 24 * time.Hour) // the clock of the bubble
		if ids("") != "" || ids("date_range=all") != "01 02" || ids("since=1999-01-01T00:00:00Z") != "01 02" {
			t.Errorf("after a month: %q, %q of all", ids(""), ids("date_range=all"))
		}
	})
}

// TestSecretOnce: the secret of a subscription is in the answer that makes it.
func TestSecretOnce(t *testing.T) {
	a, c := startWith(t, pagerduty.Options{})
	_, made, _ := rest(t, a, c, "POST", "/webhook_subscriptions", "", file(t, "rest/POST_webhook_subscriptions.request"))
	text, _ := json.Marshal(made)
	id := made.(map[string]any)["webhook_subscription"].(map[string]any)["id"].(string)
	if bytes.Contains(text, []byte(`"secret":null`)) {
		t.Errorf("made: %s", text)
	}
	for _, path := range []string{"/webhook_subscriptions", "/webhook_subscriptions/" + id} {
		_, got, _ := rest(t, a, c, "GET", path, "", "")
		if text, _ := json.Marshal(got); !bytes.Contains(text, []byte(`"secret":null`)) || !bytes.Contains(text, []byte(id)) {
			t.Errorf("%s: %s", path, text)
		}
	}
	for _, want := range []int{204, 404} {
		if status, _, _ := rest(t, a, c, "DELETE", "/webhook_subscriptions/"+id, "", ""); status != want {
			t.Errorf("deleted: status %d, want %d", status, want)
		}
	}
}
