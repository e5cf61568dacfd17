package jira_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tocsin/fake"
	"tocsin/fake/jira"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const jane = "5b10a2844c20165700ede21g"

// caller talks to a site over a pipe.
type caller struct {
	t      *testing.T
	url    string
	client *http.Client
	token  string
}

func open(t *testing.T, o jira.Options) (*jira.Site, caller) {
	t.Helper()
	s := jira.New(o)
	pipe := fake.NewPipe()
	s.Serve(pipe)
	client := &http.Client{Transport: &http.Transport{DialContext: pipe.DialContext}}
	t.Cleanup(func() { client.CloseIdleConnections(); _ = s.Close(); _ = pipe.Close() })
	return s, caller{t, s.URL(), client, "token-of-the-fake"}
}

// do makes a call and returns the status and the answer as text.
func (c caller) do(method, path, body string) (int, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.SetBasicAuth("bot@example.com", c.token)
	answer, err := c.client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// want fails unless a call is answered so, with all of these texts in it.
func (c caller) want(status int, method, path, body string, says ...string) {
	c.t.Helper()
	got, text := c.do(method, path, body)
	if got != status {
		c.t.Errorf("%s %s: %d %s", method, path, got, text)
	}
	for _, say := range says {
		if !strings.Contains(text, say) {
			c.t.Errorf("%s %s: %s does not say %q", method, path, text, say)
		}
	}
}

const issue = `{"fields":{"project":{"key":"SEC"},"issuetype":{"name":"Task"},"summary":"One","labels":["a"],` +
	`"description":{"type":"doc","version":1,"content":[]}},"properties":[{"key":"p","value":{"x":1}}]}`

// TestIssue: what is made can be read, searched, commented and moved by the ways
// of its workflow alone.
func TestIssue(t *testing.T) {
	s, c := open(t, jira.Options{})
	c.want(201, "POST", "/rest/api/3/issue", issue, `"id":"10001"`, `"key":"SEC-1"`)
	c.want(200, "GET", "/rest/api/3/issue/SEC-1", "", `"id":"10001"`, `"name":"To Do"`, `"key":"new"`)
	c.want(200, "GET", "/rest/api/3/issue/10001/properties/p", "", `{"x":1}`)
	c.want(200, "POST", "/rest/api/3/search/jql", `{"jql":"labels = \"a\" AND updated >= \"-5m\" ORDER BY updated ASC","properties":["p"]}`, `"isLast":true`, `"SEC-1"`, `{"x":1}`)
	c.want(200, "POST", "/rest/api/3/search/jql", `{"jql":"labels = \"b\""}`, `"issues":[]`)
	c.want(400, "POST", "/rest/api/3/search/jql", `{"jql":"assignee = me"}`)
	c.want(400, "POST", "/rest/api/3/search/jql", `{"jql":"labels = \"a\"","nextPageToken":"x"}`, "token")
	c.want(200, "POST", "/rest/api/3/issue/bulkfetch", `{"issueIdsOrKeys":["10001","99"]}`, `"issueErrors":[]`, `"SEC-1"`)
	c.want(201, "POST", "/rest/api/3/issue/10001/comment", `{"body":{"type":"doc","version":1,"content":[]}}`)
	c.want(400, "POST", "/rest/api/3/issue/10001/comment", `{"body":"text"}`)
	c.want(200, "GET", "/rest/api/3/issue/10001/comment", "", `"total":1`)
	c.want(200, "GET", "/rest/api/3/issue/10001/transitions", "", `"id":"31"`, `"name":"Done"`)
	c.want(400, "POST", "/rest/api/3/issue/10001/transitions", `{"transition":{"id":"99"}}`, "not valid")
	c.want(204, "POST", "/rest/api/3/issue/10001/transitions", `{"transition":{"id":"31"}}`)
	c.want(404, "GET", "/rest/api/3/issue/SEC-2", "", "does not exist")
	if got := s.Issues()[0]; got.Status.Name != "Done" || len(got.Comments) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestRefusals: what Jira does not take is named by its field.
func TestRefusals(t *testing.T) {
	s, c := open(t, jira.Options{})
	for field, change := range map[string][2]string{
		"project":     {`"SEC"`, `"XYZ"`},
		"issuetype":   {`"Task"`, `"Epoch"`},
		"summary":     {`"One"`, `"One\nTwo"`},
		"labels":      {`["a"]`, `["a b"]`},
		"description": {`{"type":"doc","version":1,"content":[]}`, `"a text"`},
		"priority":    {`"summary"`, `"priority":{"name":"Odd"},"summary"`},
		"team":        {`"summary"`, `"team":"x","summary"`},
	} {
		c.want(400, "POST", "/rest/api/3/issue", strings.Replace(issue, change[0], change[1], 1), `"`+field+`":`)
	}
	c.want(400, "POST", "/rest/api/3/issue", strings.Replace(issue, "One", strings.Repeat("𝕏", 128), 1), "less than 255")
	if n := len(s.Issues()); n != 0 {
		t.Errorf("%d issues", n)
	}
}

// TestNobody: another token is refused, or sees nothing where the site is public.
func TestNobody(t *testing.T) {
	_, c := open(t, jira.Options{})
	c.token = "another"
	c.want(401, "GET", "/rest/api/3/issue/SEC-1", "")
	_, c = open(t, jira.Options{LetsIn: true})
	c.want(201, "POST", "/rest/api/3/issue", issue)
	c.token = "another"
	c.want(404, "GET", "/rest/api/3/issue/SEC-1", "")
	c.want(200, "POST", "/rest/api/3/issue/bulkfetch", `{"issueIdsOrKeys":["10001"]}`, `"issues":[]`)
	c.want(401, "GET", "/rest/api/3/myself", "")
}

// TestSearchLags: a search knows a new issue, and a change, after the delay.
func TestSearchLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := open(t, jira.Options{SearchDelay: time.Second})
		const search = `{"jql":"labels = \"a\""}`
		c.want(201, "POST", "/rest/api/3/issue", issue)
		c.want(200, "POST", "/rest/api/3/search/jql", search, `"issues":[]`)
		<-time.After(time.Second)
		c.want(200, "POST", "/rest/api/3/search/jql", search, `"To Do"`)
		if err := s.Move("SEC-1", "Done", jane); err != nil {
			t.Fatal(err)
		}
		c.want(200, "POST", "/rest/api/3/search/jql", search, `"name":"To Do","statusCategory"`)
		<-time.After(time.Second)
		c.want(200, "POST", "/rest/api/3/search/jql", search, `"name":"Done","statusCategory"`)
	})
}

// TestWebhooks are signed over their body, keep their identifier when they are
// sent again, and end when they are taken or refused.
func TestWebhooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []int{503, 429, 200, 400, 200}
		pipe := fake.NewPipe()
		receiver := fake.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answers[0])
			answers = answers[1:]
		}))
		receiver.Serve(pipe)
		s, c := open(t, jira.Options{Client: &http.Client{Transport: &http.Transport{DialContext: pipe.DialContext}}})
		t.Cleanup(func() { _ = s.Close(); _ = receiver.Close(); _ = pipe.Close() })
		c.want(201, "POST", "/rest/webhooks/1.0/webhook", `{"name":"n","url":"http://pipe.invalid/h","secret":"s3cret",`+
			`"events":["jira:issue_updated","jira:issue_deleted"],"filters":{"issue-related-events-section":"labels = \"a\""}}`, `"isSigned":true`)
		c.want(400, "POST", "/rest/webhooks/1.0/webhook", `{"name":"n","url":"x","events":[]}`)
		c.want(201, "POST", "/rest/api/3/issue", issue)
		c.want(201, "POST", "/rest/api/3/issue", strings.Replace(issue, `["a"]`, `["b"]`, 1))
		for _, err := range []error{
			s.Move("SEC-1", "Done", jane), s.Rename("SEC-1", "Two", jane), s.Rename("SEC-2", "Not of this webhook", jane), s.Delete("SEC-1", jane), s.Flush(t.Context()),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		all := s.Webhooks.All()
		if len(all) != 5 || all[0].ID != all[2].ID || all[2].ID == all[3].ID || all[2].Header.Get("X-Atlassian-Webhook-Retry") != "2" {
			t.Fatalf("%d tries: %+v", len(all), all)
		}
		var body struct {
			WebhookEvent string
			User         struct{ DisplayName string }
			Changelog    struct {
				Items []struct{ Field, ToString string }
			}
		}
		if err := json.Unmarshal(all[0].Body, &body); err != nil || body.User.DisplayName != "Jane Doe" || body.Changelog.Items[0].ToString != "Done" {
			t.Errorf("%v %s", err, all[0].Body)
		}
		if all[0].Header.Get("X-Hub-Signature") != jira.Sign(all[0].Body, "s3cret") || !bytes.Equal(all[0].Body, all[2].Body) {
			t.Error("the signature is not that of the body, or a repeat has another body")
		}
		for _, err := range []error{s.Move("SEC-9", "Done", jane), s.Move("SEC-2", "Nowhere", jane), s.Move("SEC-2", "Done", "nobody")} {
			if err == nil {
				t.Error("a person did what cannot be done")
			}
		}
	})
}

// TestSignature compares with what openssl makes of the same text and secret.
func TestSignature(t *testing.T) {
	const want = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
	if got := jira.Sign([]byte("Hello World!"), "It's a Secret to Everybody"); got != want {
		t.Errorf("%s", got)
	}
}
