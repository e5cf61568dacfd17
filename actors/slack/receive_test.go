package slack

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	workspace "tocsin/fake/slack"
)

// nobody is a vendor that answers nothing, so that only what came in decides.
var nobody = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })

// offline is a messenger in a bubble, where the network is silent.
func offline(t *testing.T, secrets map[string]dispatch.Secret) *messenger {
	t.Helper()
	deaf := &http.Client{Transport: silent{}}
	return openedIn(t, dispatch.World{HTTP: deaf}, "http://fake.invalid", secrets)
}

type silent struct{}

func (silent) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the network is down")
}

// TestVectors: signatures are accepted and refused as the contract's examples say.
func TestVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			Name     string            `json:"name"`
			BodyFile string            `json:"body_file"`
			Secret   dispatch.Secret   `json:"signing_secret"`
			Headers  map[string]string `json:"headers"`
			At       int64             `json:"verify_at_unix"`
			Expect   string            `json:"expect"`
		}
	}
	readJSON(t, "testdata/interactivity/vectors.json", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range file.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join("testdata/interactivity", v.BodyFile))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				<-time.After(time.Until(time.Unix(v.At, 0))) // the bubble has a clock of its own
				m := offline(t, map[string]dispatch.Secret{"botToken": token, "signingSecret": v.Secret})
				in := dispatch.Inbound{Method: http.MethodPost, Header: http.Header{}, Body: body}
				for name, value := range v.Headers {
					in.Header.Set(name, value)
				}
				want := http.StatusOK
				if v.Expect != "valid" {
					want = http.StatusUnauthorized
				}
				changes, reply := m.Receive(t.Context(), in)
				if reply.Status != want || len(changes) > 0 {
					t.Errorf("%d with %d changes, want %d without", reply.Status, len(changes), want)
				}
			})
		})
	}
}

// clicked is the request of a click on a message, and the message's name.
func clicked(t *testing.T, w *workspace.Workspace, m *messenger, button string) (dispatch.Inbound, string) {
	t.Helper()
	l := delivered(t, m, exam.Parcel(1))
	payload, err := w.Payload(l.Data["channel"], l.Data["ts"], button, "U061F7AUR")
	if err != nil {
		t.Fatal(err)
	}
	return signed(w, workspace.Form(payload)), l.ExternalID
}

func signed(w *workspace.Workspace, body []byte) dispatch.Inbound {
	return dispatch.Inbound{Method: http.MethodPost, Header: w.Sign(body, time.Now()), Body: body}
}

// TestClick: a click asks for the button's status, and says who, when and which
// message; the same click again has the same id, another one another.
func TestClick(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	in, name := clicked(t, w, m, "acknowledge")
	before := time.Now().Add(-time.Minute)
	changes, reply := m.Receive(t.Context(), in)
	if reply.Status != http.StatusOK || reply.Body != "" || len(changes) != 1 {
		t.Fatalf("%+v, changes %+v", reply, changes)
	}
	c := changes[0]
	if c.Status != dispatch.TicketAcknowledged || c.By != "Jane Doe" || c.Names[0] != name || c.TicketIDs[0] != exam.Parcel(1).Ticket.ID {
		t.Errorf("change %+v, of the message %s", c, name)
	}
	if c.EventID == "" || c.At.Before(before) || c.At.After(time.Now().Add(time.Minute)) || c.Echo || c.Level {
		t.Errorf("change %+v", c)
	}
	again, _ := m.Receive(t.Context(), signed(w, in.Body))
	if again[0].EventID != c.EventID {
		t.Error("the same click has another id when it comes again")
	}
	second, _ := clicked(t, w, m, "close")
	other, _ := m.Receive(t.Context(), second)
	if other[0].EventID == c.EventID || other[0].Status != dispatch.TicketClosed {
		t.Errorf("another click: %+v", other[0])
	}
}

// TestClickOverHTTP goes the whole way: the person sees an error exactly when
// the click was not taken.
func TestClickOverHTTP(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	var mu sync.Mutex
	var got []dispatch.StatusChange
	request := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		changes, reply := m.Receive(r.Context(), dispatch.Inbound{Method: r.Method, Header: r.Header, Query: r.URL.Query(), Body: body})
		mu.Lock()
		defer mu.Unlock()
		got = append(got, changes...)
		rw.WriteHeader(reply.Status)
	}))
	defer request.Close()
	l := delivered(t, m, exam.Parcel(1))
	w.Ask(request.URL + "/in/slack")
	if err := w.Click(t.Context(), l.Data["channel"], l.Data["ts"], "close", "U061F7AUS"); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].By != "Omar Diaz" || got[0].Status != dispatch.TicketClosed {
		t.Errorf("changes %+v", got)
	}
}

// TestForged: a body with any bit turned is refused, and so is everything when
// the actor has no signing secret.
func TestForged(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	in, _ := clicked(t, w, m, "acknowledge")
	for bit := range 8 * len(in.Body) {
		forged := in
		forged.Body = bytes.Clone(in.Body)
		forged.Body[bit/8] ^= 1 << (bit % 8)
		if changes, reply := m.Receive(t.Context(), forged); reply.Status != http.StatusUnauthorized || changes != nil {
			t.Fatalf("bit %d turned: %+v %+v", bit, reply, changes)
		}
	}
	deaf := openedWith(t, nobody, map[string]dispatch.Secret{"botToken": token, "appToken": appToken})
	for name, r := range map[string]dispatch.Inbound{
		"signed": in, "bare": {Method: http.MethodPost}, "check": {Method: http.MethodGet, Query: map[string][]string{"ssl_check": {"1"}}},
	} {
		if _, reply := deaf.Receive(t.Context(), r); reply.Status != http.StatusUnauthorized {
			t.Errorf("%s, without a signing secret: %+v", name, reply)
		}
	}
}

// TestPayloadInTheAddress: what stands in the query is not signed, so it is not read.
func TestPayloadInTheAddress(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	in, _ := clicked(t, w, m, "acknowledge")
	form, err := url.ParseQuery(string(in.Body))
	if err != nil {
		t.Fatal(err)
	}
	moved := signed(w, []byte("nothing=1"))
	moved.Query = form
	if changes, reply := m.Receive(t.Context(), moved); reply.Status != http.StatusOK || changes != nil {
		t.Errorf("%+v %+v", reply, changes)
	}
}

// TestForeign: a payload of another workspace is refused, though it is signed.
func TestForeign(t *testing.T) {
	w := acme(func(o *workspace.Options) { o.OrganizationID = "E0001" })
	m := opened(t, w)
	in, _ := clicked(t, w, m, "acknowledge")
	escape := func(old, with string) []byte {
		return bytes.ReplaceAll(in.Body, []byte(url.QueryEscape(old)), []byte(url.QueryEscape(with)))
	}
	for name, row := range map[string]struct {
		body []byte
		want int
	}{
		"ours":                 {in.Body, http.StatusOK},
		"another team":         {escape(`"team":{"domain":"acme","id":"T0001"}`, `"team":{"domain":"evil","id":"T0666"}`), http.StatusForbidden},
		"an organization's":    {escape(`"team":{"domain":"acme","id":"T0001"}`, `"team":null`), http.StatusOK},
		"another organization": {bytes.ReplaceAll(escape(`"team":{"domain":"acme","id":"T0001"}`, `"team":null`), []byte("E0001"), []byte("E0666")), http.StatusForbidden},
		"no JSON":              {[]byte("payload=%7B"), http.StatusBadRequest},
		"no form":              {[]byte("payload=%zz"), http.StatusBadRequest},
	} {
		changes, reply := m.Receive(t.Context(), signed(w, row.body))
		if reply.Status != row.want || (len(changes) == 1) != (row.want == http.StatusOK) {
			t.Errorf("%s: %+v %+v", name, reply, changes)
		}
	}
}

// TestNotOurs: other buttons, other versions of ours and other payloads change nothing.
func TestNotOurs(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	in, _ := clicked(t, w, m, "acknowledge")
	for name, body := range map[string][]byte{
		"another button":  bytes.ReplaceAll(in.Body, []byte("acknowledge"), []byte("open_ticket")),
		"another version": bytes.ReplaceAll(in.Body, []byte(url.QueryEscape(`"1:tkt_`)), []byte(url.QueryEscape(`"2:tkt_`))),
		"no ticket":       bytes.ReplaceAll(in.Body, []byte(url.QueryEscape(`"1:tkt_`)), []byte(url.QueryEscape(`"1:dlv_`))),
		"another type":    bytes.ReplaceAll(in.Body, []byte("block_actions"), []byte("view_submission")),
		"no payload":      []byte("ssl_check=1"),
		"nothing":         nil,
	} {
		if changes, reply := m.Receive(t.Context(), signed(w, body)); reply.Status != http.StatusOK || changes != nil {
			t.Errorf("%s: %+v %+v", name, reply, changes)
		}
	}
}

// TestEvents: the challenge is echoed, all else is heard and changes nothing.
func TestEvents(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	var logs bytes.Buffer
	m.world.Log = slog.New(slog.NewTextHandler(&logs, nil))
	for file, want := range map[string]string{
		"url_verification": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
		"app_rate_limited": "", "event_callback.app_uninstalled": "", "event_callback.tokens_revoked": "",
	} {
		body, err := os.ReadFile("testdata/events/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		in := signed(w, body)
		in.Header.Set("Content-Type", "application/json")
		changes, reply := m.Receive(t.Context(), in)
		if reply.Status != http.StatusOK || reply.Body != want || changes != nil {
			t.Errorf("%s: %+v %+v", file, reply, changes)
		}
	}
	if said := logs.String(); !strings.Contains(said, "app_uninstalled") || !strings.Contains(said, "tokens_revoked") {
		t.Errorf("the log says %q", said)
	}
	check := dispatch.Inbound{Method: http.MethodGet, Header: http.Header{}, Query: map[string][]string{"ssl_check": {"1"}}}
	if changes, reply := m.Receive(t.Context(), check); reply.Status != http.StatusOK || changes != nil {
		t.Errorf("ssl_check: %+v %+v", reply, changes)
	}
}
