package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// previewed is what a dry run would send.
type previewed struct {
	Request json.RawMessage
	Problem string
}

func (a api) preview(input map[string]any) previewed {
	a.t.Helper()
	var data struct {
		PreviewAPIConfig struct{ Request previewed } `json:"previewApiConfig"`
	}
	a.ask(`mutation($in: PreviewApiConfigInput!) { previewApiConfig(input: $in) { request { request problem } userErrors { message } } }`,
		map[string]any{"in": input}, &data)
	return data.PreviewAPIConfig.Request
}

// TestPreviewOfEveryKind: of each kind that talks to somebody, a dry run tells
// what would be sent; it sends nothing, and tells no secret.
func TestPreviewOfEveryKind(t *testing.T) {
	var written atomic.Int32
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "oauth") {
			written.Add(1)
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer vendor.Close()
	a := open(t, nil)
	for name, p := range plant(vendor.URL, "127.0.0.1:1") {
		actor := a.made("createActor", "actor", map[string]any{"type": name, "name": name + " actor", "settings": p.settings, "secrets": p.secrets})
		config := a.made("createApiConfig", "apiConfig", map[string]any{"actorType": name, "actorId": actor, "settings": p.config})
		got := a.preview(map[string]any{"id": config})
		looksFirst := name == "sentinelone" || name == "peplink" // and finds nothing here
		if string(got.Request) == "{}" && (got.Problem == "" || !looksFirst) {
			t.Errorf("%s would send nothing: %q", name, got.Problem)
		}
		for field, secret := range p.secrets {
			if found := (place{name, append(got.Request, got.Problem...)}).holds(needle(secret)); found != "" {
				t.Errorf("%s tells %s: %s", name, field, found)
			}
		}
	}
	if n := written.Load(); n > 0 {
		t.Errorf("%d requests were sent that write", n)
	}
	if got := a.preview(map[string]any{"actorType": "notification"}); !strings.Contains(string(got.Request), "A test message") {
		t.Errorf("of a notification it tells %s", got.Request)
	}
}
