package server

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestFake: each fake prints an actor that works as it stands, plays its script,
// and shows what comes.
func TestFake(t *testing.T) {
	for vendor, config := range map[string]map[string]any{
		"slack": {"channel": "#alerts"}, "pagerduty": nil, "webhook": nil, "smtp": {"to": []string{"soc@example.com"}},
		"sentinelone": {"target": fakeThreat, "note": "{{.Alert.Summary}}"},
	} {
		t.Run(vendor, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "faults.json")
			steps := `[{"status": 503}]`
			switch vendor {
			case "slack":
				steps = `[{"path": "/api/chat.postMessage", "status": 503}]`
			case "smtp":
				steps = `[{"phase": "data", "code": 451, "text": "later"}]`
			}
			if err := os.WriteFile(script, []byte(steps), 0o600); err != nil {
				t.Fatal(err)
			}
			out := &transcript{}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				ended <- (&Fake{Vendor: vendor, Listen: "127.0.0.1:0", Script: script}).Run(ctx, streams{nil, out, io.Discard})
			}()
			defer func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			a := open(t, nil)
			printed := wantPrinted(t, out, `(?m)^\{.*\}$`)
			var input struct{ Input map[string]any }
			if err := json.Unmarshal([]byte(printed), &input); err != nil {
				t.Fatal(err)
			}
			actor := a.made("createActor", "actor", input.Input)
			cfg := a.made("createApiConfig", "apiConfig", map[string]any{"actorType": actorType(vendor), "actorId": actor, "settings": config})
			action := a.made("createAction", "action", map[string]any{"name": "All", "allModels": true, "apiConfigIds": []string{cfg}})
			a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in from Lima"})
			wantPrinted(t, out, `Sign-in from Lima|Model`)
			var data struct {
				Action struct {
					Deliveries struct {
						Nodes []struct{ Attempts []struct{ Outcome string } }
					}
				}
			}
			a.eventually("an attempt that the script failed, and one that went well",
				`query($id: ID!) { action(id: $id) { deliveries { nodes { attempts { outcome } } } } }`, map[string]any{"id": action}, &data, func() bool {
					n := data.Action.Deliveries.Nodes[0].Attempts
					return len(n) == 2 && n[0].Outcome == "DEFERRED" && n[1].Outcome == "DELIVERED"
				})
		})
	}
}

// wantPrinted waits for a command to have printed something.
func wantPrinted(t *testing.T, out *transcript, pattern string) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if found := regexp.MustCompile(pattern).FindString(out.String()); found != "" {
			return found
		}
	}
	t.Fatalf("%s was not printed: %s", pattern, out)
	return ""
}

// TestFakeRefuses: a script that cannot be read is refused, with its place.
func TestFakeRefuses(t *testing.T) {
	script := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(script, []byte(`[{"stat": 503}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, vendor := range []string{"slack", "smtp"} {
		err := (&Fake{Vendor: vendor, Listen: "127.0.0.1:0", Script: script}).Run(t.Context(), streams{nil, io.Discard, io.Discard})
		if err == nil || !strings.Contains(err.Error(), `unknown field "stat"`) || !strings.Contains(err.Error(), "give a JSON list of steps") {
			t.Errorf("%s: %v", vendor, err)
		}
	}
}
