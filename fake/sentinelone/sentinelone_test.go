package sentinelone_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tocsin/fake/sentinelone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token    = "token-1"
	threatID = "1912345678901234561"
	hostID   = "1898765432109876541"
	alertID  = "019db24c-8b6d-7451-8697-b1b2e1a270f1"
)

// console is one with what the files in testdata speak of.
func console(o sentinelone.Options) *sentinelone.Console {
	o.Token = token
	c := sentinelone.New(o)
	c.AddHost(sentinelone.Host{ID: hostID, UUID: "0f1e2d3c4b5a69788796a5b4c3d2e1f0", Name: "WS-0142", IP: "192.0.2.42", MAC: "02:00:5e:10:00:42"})
	c.AddHost(sentinelone.Host{ID: "1898765432109876542", Name: "WS-01420", IP: "192.0.2.43", MAC: "02:00:5e:10:00:43"})
	c.AddThreat(sentinelone.Threat{ID: threatID, HostID: hostID})
	c.AddAlert(sentinelone.Alert{ID: alertID, Name: "Malicious Activity Detected"})
	return c
}

// ask makes a request and returns status and parsed answer.
func ask(t *testing.T, c *sentinelone.Console, method, path, authorization string, body any) (int, map[string]any) {
	t.Helper()
	text := ""
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(text))
	r.Header.Set("Authorization", authorization)
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	var out map[string]any
	raw, err := io.ReadAll(w.Body)
	if err != nil || json.Unmarshal(raw, &out) != nil {
		t.Fatalf("%s %s answered %d %s", method, path, w.Code, raw)
	}
	return w.Code, out
}

func get(t *testing.T, c *sentinelone.Console, path string) (int, map[string]any) {
	t.Helper()
	return ask(t, c, http.MethodGet, "/web/api/v2.1"+path, "ApiToken "+token, nil)
}

func post(t *testing.T, c *sentinelone.Console, path, body string) (int, map[string]any) {
	t.Helper()
	return ask(t, c, http.MethodPost, "/web/api/v2.1"+path, "APIToken "+token, json.RawMessage(body))
}

type exchange struct {
	Name    string
	Request struct {
		Method, Path string
		Query        map[string]string
		Body         any
	}
	Response struct {
		Status int
		Body   map[string]any
	}
}

func exchanges(t *testing.T, file string) []exchange {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Exchanges []exchange }
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all.Exchanges
}

// TestShapes: to the requests of the contract's files the fake answers with the
// status of the file, and with no field or type that the file does not have.
func TestShapes(t *testing.T) {
	for file, names := range map[string]string{
		"02-system-info": "ok", "03-viewer-auth-check": "ok", "04-threats-list": "open threats,by id",
		"06-threats-incident": "acknowledge,close with verdict,reopen,invalid value", "07-threats-analyst-verdict": "set",
		"08-threats-notes": "add", "09-threats-external-ticket-id": "set", "10-threats-mitigate": "kill",
		"11-agents-list": "by uuid or id,by name\\, ambiguous,by MAC,none", "12-agents-disconnect-connect": "isolate",
		"13-agents-scan-broadcast": "scan", "14-restrictions-blocklist": "add",
	} {
		c := console(sentinelone.Options{})
		for _, e := range exchanges(t, file) {
			if !strings.Contains(strings.ReplaceAll(","+names+",", `\,`, ","), ","+e.Name+",") {
				continue
			}
			query := []string{}
			for name, value := range e.Request.Query {
				query = append(query, name+"="+value)
			}
			path := e.Request.Path + "?" + strings.ReplaceAll(strings.Join(query, "&"), " ", "%20")
			status, got := ask(t, c, e.Request.Method, path, "ApiToken "+token, e.Request.Body)
			if status != e.Response.Status {
				t.Errorf("%s, %s: status %d, want %d", file, e.Name, status, e.Response.Status)
			}
			for _, problem := range unlike("", got, e.Response.Body) {
				t.Errorf("%s, %s: %s", file, e.Name, problem)
			}
		}
	}
}

// unlike are the places where a value has a field or a type that the model has not.
func unlike(path string, got, model any) []string {
	var out []string
	switch g := got.(type) {
	case map[string]any:
		m, ok := model.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is an object and not %T", path, model)}
		}
		for name, value := range g {
			wanted, there := m[name]
			if !there {
				out = append(out, path+"."+name+" is not in the contract")
				continue
			}
			out = append(out, unlike(path+"."+name, value, wanted)...)
		}
	case []any:
		m, ok := model.([]any)
		if !ok || len(g) > 0 && len(m) == 0 {
			return []string{path + " is a list, and the contract has none of its elements"}
		}
		for _, value := range g {
			out = append(out, unlike(path+"[]", value, m[0])...)
		}
	case nil:
	default:
		if model != nil && fmt.Sprintf("%T", g) != fmt.Sprintf("%T", model) {
			out = append(out, fmt.Sprintf("%s is %T and not %T", path, g, model))
		}
	}
	return out
}

// TestToken: each interface has its scheme, in any case; system/status needs none.
func TestToken(t *testing.T) {
	c := console(sentinelone.Options{})
	const graphql = "/web/api/v2.1/unifiedalerts/graphql"
	for _, row := range []struct {
		method, path, authorization string
		want                        int
	}{
		{http.MethodGet, "/web/api/v2.1/system/info", "apitoken " + token, 200},
		{http.MethodGet, "/web/api/v2.1/system/info", token, 401},
		{http.MethodGet, "/web/api/v2.1/system/info", "ApiToken other", 401},
		{http.MethodGet, "/web/api/v2.1/system/status", "", 200},
		{http.MethodPost, graphql, "Bearer " + token, 200},
		{http.MethodPost, graphql, "ApiToken " + token, 401},
		{http.MethodPost, "/web/api/v2.1/threats/mark-as-resolved", "ApiToken " + token, 404},
	} {
		if status, _ := ask(t, c, row.method, row.path, row.authorization, map[string]any{}); status != row.want {
			t.Errorf("%s as %q: %d, want %d", row.path, row.authorization, status, row.want)
		}
	}
}

// TestWrites: each write moves updatedAt; one that changes nothing affects nothing;
// ids may be a bare text, and the tenant may be given.
func TestWrites(t *testing.T) {
	c := console(sentinelone.Options{})
	before := c.Threat(threatID).UpdatedAt
	for i, want := range []float64{1, 0} {
		_, got := post(t, c, "/threats/incident", `{"data":{"incidentStatus":"resolved"},"filter":{"ids":"`+threatID+`","tenant":"true"}}`)
		if n := got["data"].(map[string]any)["affected"]; n != want {
			t.Errorf("write %d affected %v, want %v", i, n, want)
		}
	}
	if !c.Threat(threatID).UpdatedAt.After(before) {
		t.Error("a write did not move updatedAt")
	}
	before = c.Threat(threatID).UpdatedAt
	post(t, c, "/threats/notes", `{"data":{"text":"hello"},"filter":{"ids":["`+threatID+`"]}}`)
	if !c.Threat(threatID).UpdatedAt.After(before) {
		t.Error("a note did not move updatedAt")
	}
	if status, _ := post(t, c, "/agents/actions/disconnect", `{"filter":{}}`); status != 400 {
		t.Errorf("a filter that takes all: %d", status)
	}
}

// TestPages: cursors are followed to their end, and unknown ones are refused.
func TestPages(t *testing.T) {
	c := console(sentinelone.Options{})
	for n := range 4 {
		c.AddThreat(sentinelone.Threat{ID: fmt.Sprintf("191234567890123460%d", n), HostID: hostID})
	}
	seen, path := 0, "/threats?limit=2&sortBy=updatedAt"
	for {
		_, got := get(t, c, path)
		seen += len(got["data"].([]any))
		next, more := got["pagination"].(map[string]any)["nextCursor"].(string)
		if !more {
			break
		}
		path = "/threats?limit=2&sortBy=updatedAt&cursor=" + next
	}
	if seen != 5 {
		t.Errorf("%d threats on all pages, want 5", seen)
	}
	for _, query := range []string{"cursor=foreign", "limit=1001"} {
		if status, _ := get(t, c, "/threats?"+query); status != 400 {
			t.Errorf("%s: status %d", query, status)
		}
	}
}

// TestHosts: a host is cut off by and by.
func TestHosts(t *testing.T) {
	c := console(sentinelone.Options{})
	post(t, c, "/agents/actions/disconnect", `{"filter":{"ids":["`+hostID+`"]}}`)
	if got := c.Host(hostID).Network; got != "disconnecting" {
		t.Errorf("the host is %s", got)
	}
	c.Arrive()
	if got := c.Host(hostID).Network; got != "disconnected" {
		t.Errorf("the host is %s", got)
	}
}

// TestLimits: when asked, the fake refuses what is over the limits.
func TestLimits(t *testing.T) {
	c := console(sentinelone.Options{Limits: true})
	refused := 0
	for range 60 {
		if status, _ := get(t, c, "/threats"); status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 || refused > 10 {
		t.Errorf("%d of 60 calls at once were refused, want up to 10", refused)
	}
}
