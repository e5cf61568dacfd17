package peplink_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tocsin/fake/peplink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "token-of-the-fake"

// inControl is one with what the files in testdata speak of.
func inControl(o peplink.Options) *peplink.InControl {
	c := peplink.New(o)
	c.AddGroup(3, "Branches", peplink.Device{ID: 1201, SN: "2930-1111-2222", Name: "branch-01", Clients: []peplink.Client{
		{Name: "WS-0142", MAC: "02:00:5E:10:00:42", IP: "192.0.2.42"},
	}}, peplink.Device{ID: 1202, Mute: true})
	c.AddEvent(3, peplink.Event{DeviceID: 1201, SSID: "Office", ClientName: "WS-0142", Detail: "Associated"})
	c.SetList(3, peplink.List{ID: 12, Name: "dispatch-deny", Address: []string{"02:00:5E:10:00:99"}})
	return c
}

// ask makes a request and returns status and parsed answer.
func ask(t *testing.T, c *peplink.InControl, method, path, token, kind, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s answered %d %s", method, path, w.Code, w.Body)
	}
	return w.Code, out
}

type exchange struct {
	Name    string
	Request struct {
		Method, Path string
		Form         map[string]string
		Body         json.RawMessage
	}
	Response struct {
		Status int
		Body   map[string]any
	}
}

// TestShapes: to the requests of the contract's files the fake answers with the
// status of the file, and with no field or type that the file does not have.
func TestShapes(t *testing.T) {
	for file, not := range map[string][]string{
		"01-oauth-client-credentials": nil, "04-orgs-groups-devices": nil, "05-clients": nil, "06-event-log": nil, "07-reboot": {"no right"},
		"08-mac-acl": nil, "11-envelope-errors-rate": {"expired token", "too fast, new", "too fast, old appliance"},
	} {
		c := inControl(peplink.Options{ClientID: "{client_id}", ClientSecret: "{client_secret}"})
		for _, e := range exchanges(t, file) {
			if slices.Contains(not, e.Name) {
				continue
			}
			body, kind := string(e.Request.Body), "application/json"
			if e.Request.Form != nil {
				form := url.Values{}
				for name, value := range e.Request.Form {
					form.Set(name, value)
				}
				body, kind = form.Encode(), "application/x-www-form-urlencoded"
			}
			status, got := ask(t, c, e.Request.Method, e.Request.Path, token, kind, body)
			if status != e.Response.Status || got["resp_code"] != e.Response.Body["resp_code"] {
				t.Errorf("%s, %s: status %d and %v, want %d and %v", file, e.Name, status, got["resp_code"], e.Response.Status, e.Response.Body["resp_code"])
			}
			for _, problem := range unlike("", got, e.Response.Body) {
				t.Errorf("%s, %s: %s", file, e.Name, problem)
			}
		}
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

// unlike are the places where a value has a field or a type that the model has not.
func unlike(path string, got, model any) []string {
	var out []string
	switch g := got.(type) {
	case map[string]any:
		m, _ := model.(map[string]any)
		for name, value := range g {
			wanted, there := m[name]
			if !there {
				out = append(out, path+"."+name+" is not in the contract")
				continue
			}
			out = append(out, unlike(path+"."+name, value, wanted)...)
		}
	case []any:
		m, _ := model.([]any)
		if len(g) > 0 && len(m) == 0 {
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

// TestRefusals: each fault has the status and the code of the contract.
func TestRefusals(t *testing.T) {
	const org = "/rest/o/aBcDeF"
	for name, row := range map[string]struct {
		o                         peplink.Options
		method, path, token, body string
		status                    int
		code                      any
	}{
		"ended token":         {peplink.Options{}, http.MethodGet, "/rest/o", "other", "", 401, "Unauthorized"},
		"unknown, old":        {peplink.Options{Old: true}, http.MethodGet, "/rest/o/null", token, "", 401, "Unauthorized"},
		"no right":            {peplink.Options{ReadOnly: true}, http.MethodPost, org + "/g/3/d/1201/tools/reboot", token, "", 403, "NO_PRIVILEGE"},
		"no right to write":   {peplink.Options{ReadOnly: true}, http.MethodPut, org + "/g/3/grouped_mac", token, "{}", 403, "NO_PRIVILEGE"},
		"no list":             {peplink.Options{}, http.MethodPut, org + "/g/3/grouped_mac", token, `{"id":13,"name":"x","address":[]}`, 200, "INVALID_INPUT"},
		"list without a name": {peplink.Options{}, http.MethodPut, org + "/g/3/grouped_mac", token, `{"id":12,"address":[]}`, 200, "INVALID_INPUT"},
		"wrapped list":        {peplink.Options{}, http.MethodPut, org + "/g/3/grouped_mac", token, `{"data":{"id":12,"name":"x","address":[]}}`, 200, "INVALID_INPUT"},
		"no device":           {peplink.Options{}, http.MethodGet, org + "/g/3/d/9", token, "", 404, "NOT_FOUND"},
		"old path":            {peplink.Options{}, http.MethodPost, org + "/d/2930-1111-2222/reboot", token, "", 404, "NOT_FOUND"},
	} {
		c := inControl(row.o)
		if status, got := ask(t, c, row.method, row.path, row.token, "application/json", row.body); status != row.status || got["resp_code"] != row.code || len(c.Reboots()) > 0 {
			t.Errorf("%s: %d %v, want %d %v", name, status, got, row.status, row.code)
		}
	}
}

// TestTokens: a grant is a form with the right secret, and its token ends.
func TestTokens(t *testing.T) {
	c := inControl(peplink.Options{})
	form := "grant_type=client_credentials&client_id=client-of-the-fake&client_secret=secret-of-the-fake"
	if status, _ := ask(t, c, http.MethodPost, "/api/oauth2/token", "", "application/json", `{"grant_type":"client_credentials"}`); status != 400 {
		t.Errorf("a grant in JSON: %d", status)
	}
	_, got := ask(t, c, http.MethodPost, "/api/oauth2/token", "", "application/x-www-form-urlencoded", form)
	granted, _ := got["access_token"].(string)
	for _, want := range []int{200, 401} {
		if status, _ := ask(t, c, http.MethodGet, "/rest/o", granted, "", ""); status != want {
			t.Errorf("the token gives %d, want %d", status, want)
		}
		c.Expire()
	}
	if c.Grants() != 1 {
		t.Errorf("%d grants", c.Grants())
	}
}

// TestLimits: when asked, the fake refuses what is over twenty a second, as a
// new InControl does or as an old one.
func TestLimits(t *testing.T) {
	for o, want := range map[peplink.Options]int{{Limits: true}: 429, {Limits: true, Old: true}: 403} {
		c := inControl(o)
		refused := 0
		for range 40 {
			if status, _ := ask(t, c, http.MethodGet, "/rest/o", token, "", ""); status == want {
				refused++
			}
		}
		if refused < 10 || refused > 20 {
			t.Errorf("%d of 40 calls at once were answered %d", refused, want)
		}
	}
}

// TestMute: a device that does not answer says so in an answer of success.
func TestMute(t *testing.T) {
	_, got := ask(t, inControl(peplink.Options{}), http.MethodGet, "/rest/o/aBcDeF/g/3/d/1202/devapi/status.client", token, "", "")
	if got["resp_code"] != "SUCCESS" || got["data"].(map[string]any)["stat"] != "fail" {
		t.Errorf("%v", got)
	}
}
