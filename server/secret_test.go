package server

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/actors"
	"tocsin/dispatch"
	"tocsin/fake/smtp"
)

// planted is an actor whose secrets are to be found nowhere.
type planted struct {
	settings map[string]any // a string "URL" stands for the vendor's address
	secrets  map[string]string
	config   map[string]any
}

// plant says how to fill in each kind; a kind that is not here fails the test.
func plant(url, mail string) map[string]planted {
	word := func() string { return "Pl4nted" + rand.Text() }
	sign := "whsec_" + base64.StdEncoding.EncodeToString([]byte(word()))
	host, port, _ := strings.Cut(mail, ":")
	return map[string]planted{
		"email": {
			map[string]any{"host": host, "port": json.Number(port), "tls": "NONE", "username": "tocsin", "from": "tocsin@example.com"},
			map[string]string{"password": word()},
			map[string]any{"to": []string{"soc@example.com"}},
		},
		"slack": {
			map[string]any{"apiUrl": url + "/"},
			map[string]string{"botToken": "xoxb-" + word(), "signingSecret": word()},
			map[string]any{"channel": "#alerts"},
		},
		"pagerduty": {
			map[string]any{"eventsUrl": url, "apiUrl": url},
			map[string]string{"integrationKey": strings.ToLower(rand.Text() + rand.Text())[:32], "token": word(), "webhookSecret": word()},
			nil,
		},
		"jira": {
			map[string]any{"url": url, "email": "bot@example.com"},
			map[string]string{"apiToken": word(), "webhookSecret": word()},
			map[string]any{"project": "SEC"},
		},
		"servicenow": {
			map[string]any{"url": url, "username": "tocsin"},
			map[string]string{"password": word(), "webhookSecret": sign},
			nil,
		},
		"webhook": {
			map[string]any{"url": url},
			map[string]string{"signingSecret": sign, "inboundSecret": sign, "headers": `{"Authorization": "Bearer ` + word() + `"}`},
			nil,
		},
		"discord":    {nil, map[string]string{"url": url + "/api/webhooks/1/" + word()}, nil},
		"googlechat": {nil, map[string]string{"url": url + "/v1/spaces/AAA/messages/" + word()}, nil},
		"mattermost": {nil, map[string]string{"url": url + "/hooks/" + word()}, nil},
		"rocketchat": {nil, map[string]string{"url": url + "/hooks/" + word()}, nil},
		"teams":      {nil, map[string]string{"url": url + "/workflows/" + word()}, nil},
		"gotify":     {map[string]any{"url": url}, map[string]string{"token": word()}, nil},
		"matrix":     {map[string]any{"homeserver": url}, map[string]string{"token": word()}, map[string]any{"room": "!abc:example.com"}},
		"ntfy":       {map[string]any{"url": url}, map[string]string{"token": "tk_" + word()}, map[string]any{"topic": "soc-alerts"}},
		"pushover":   {map[string]any{"apiUrl": url}, map[string]string{"token": word(), "user": word()}, nil},
		"telegram":   {map[string]any{"apiUrl": url}, map[string]string{"botToken": "110201543:" + word()}, map[string]any{"chat": "-1001234567890"}},
		"twilio": {
			map[string]any{"apiUrl": url, "accountSid": "AC" + strings.Repeat("0a", 16), "from": "+15005550006"},
			map[string]string{"authToken": word()},
			map[string]any{"to": "+15558675310"},
		},
		"peplink": {
			map[string]any{"url": url, "organization": "aBcDeF", "clientId": "client"},
			map[string]string{"clientSecret": word()},
			map[string]any{"client": "WS-0142"},
		},
		"sentinelone": {map[string]any{"url": url}, map[string]string{"apiToken": word()}, map[string]any{"target": "225494730938493804"}},
		"zulip":       {map[string]any{"url": url, "email": "bot@example.com"}, map[string]string{"apiKey": word()}, map[string]any{"channel": "soc"}},
	}
}

// needle is what is looked for of a secret: of an address its last part, of an
// object the word that was planted.
func needle(secret string) string {
	if i := strings.Index(secret, "Pl4nted"); i >= 0 {
		return strings.TrimSuffix(secret[i:], `"}`)
	}
	return secret
}

// TestSecretsStayHome: with every kind of actor set up and failing in the face
// of a vendor that repeats what it is told, no secret is in what the API
// answers, the metrics, the log or the files.
func TestSecretsStayHome(t *testing.T) {
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, "%s %s %v %s", r.Method, r.URL, r.Header, body)
	}))
	defer vendor.Close()
	mail, err := smtp.New(smtp.Options{Users: map[string]string{"tocsin": "another one"}})
	if err != nil {
		t.Fatal(err)
	}
	started(t, mail)
	dir, log := t.TempDir(), &transcript{}
	a := openIn(t, dir, log, nil)
	secrets := map[string]string{}
	var configs, ids []string
	for name, p := range plant(vendor.URL, mail.Addr()) {
		for field, secret := range p.secrets {
			secrets[name+"."+field] = needle(secret)
		}
		id := a.made("createActor", "actor", map[string]any{"type": name, "name": name + " actor", "settings": p.settings, "secrets": p.secrets})
		ids = append(ids, id)
		configs = append(configs, a.made("createApiConfig", "apiConfig", map[string]any{"actorType": name, "actorId": id, "settings": p.config}))
	}
	for _, k := range actors.All() {
		if _, ok := plant("http://127.0.0.1:1", "127.0.0.1:1")[k.Name]; !ok && len(dispatch.SecretFields(k.Settings)) > 0 {
			t.Errorf("no secrets are planted for %s; add it to plant", k.Name)
		}
	}
	action := a.made("createAction", "action", map[string]any{"name": "All", "allModels": true, "apiConfigIds": configs})
	ticket := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"}).TicketID
	var tried struct {
		Action struct {
			Deliveries struct {
				Nodes []struct{ Attempts []struct{ Outcome string } }
			}
		}
	}
	a.eventually("an attempt of each", `query($id: ID!) { action(id: $id) { deliveries { nodes { attempts { outcome } } } } }`, map[string]any{"id": action}, &tried, func() bool {
		n := 0
		for _, d := range tried.Action.Deliveries.Nodes {
			if len(d.Attempts) > 0 && d.Attempts[0].Outcome != "" {
				n++
			}
		}
		return n == len(configs)
	})
	var places []place
	say := func(name, query string, variables map[string]any) {
		_, text, err := a.post(t.Context(), query, variables)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, place{name, text})
	}
	for _, id := range ids {
		say("testActor", `mutation($id: ID!) { testActor(input: {id: $id}) { ok message attempt { error request response } userErrors { message } } }`, map[string]any{"id": id})
		say("installActorWebhook", `mutation($id: ID!) { installActorWebhook(input: {id: $id}) { actor { id } userErrors { message } } }`, map[string]any{"id": id})
	}
	say("refreshTicket", `mutation($id: ID!) { refreshTicket(input: {id: $id}) { userErrors { message } } }`, map[string]any{"id": ticket})
	say("the API", `{ actors(first: 100) { nodes { settings secrets { field } inboundUrl health { lastError } } } notifications { nodes { title message } }
		deliveries { nodes { reason externalRef externalUrl attempts { error request response } } } ticketEvents { nodes { text ignoredBecause } } }`, nil)
	places = append(places, a.page("/metrics"), place{"the log", []byte(log.String())})
	places = append(places, files(t, dir)...)
	for _, p := range places {
		for name, secret := range secrets {
			if found := p.holds(secret); found != "" {
				t.Errorf("%s holds %s: …%s…", p.name, name, found)
			}
		}
	}
	if len(secrets) < 6 || len(places) < 6 || !slices.ContainsFunc(places, func(p place) bool { return p.name == "the API" && bytes.Contains(p.text, []byte("attempts")) }) {
		t.Errorf("only %d secrets looked for in %d places", len(secrets), len(places))
	}
}

// place is where secrets might have got to.
type place struct {
	name string
	text []byte
}

// holds is what stands around a secret, written plain, as JSON, in an address or
// in base64; "" when it is not there.
func (p place) holds(secret string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	for _, form := range []string{secret, strings.TrimPrefix(secret, "whsec_"), encoded, strings.TrimRight(encoded, "=")} {
		if i := bytes.Index(p.text, []byte(form)); i >= 0 {
			return fmt.Sprintf("%.80q", p.text[max(i-40, 0):])
		}
	}
	return ""
}

func (a api) page(path string) place {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.url+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r) //nolint:forbidigo // a test talks to itself
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return place{path, text}
}

// files are those of the server, but the key.
func files(t *testing.T, dir string) []place {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "tocsin.db*"))
	if err != nil || len(all) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	var out []place
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, place{filepath.Base(name), text})
	}
	return out
}
