package slack_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"tocsin/fake/slack"
)

// dialed opens a WebSocket as an app does and reads its hello.
func dialed(t *testing.T, w *slack.Workspace, c *http.Client) *websocket.Conn {
	t.Helper()
	api := slackgo.New("", slackgo.OptionAppLevelToken("xapp-fake"), slackgo.OptionAPIURL(w.URL()+"/api/"), slackgo.OptionHTTPClient(c))
	_, address, err := api.StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.Dial(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if _, _, err := websocket.Dial(t.Context(), address, nil); err == nil {
		t.Error("an address was good for two connections")
	}
	return conn
}

func next(t *testing.T, conn *websocket.Conn) map[string]any {
	t.Helper()
	_, text, err := conn.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSocketModeSpeaksAsTheContract(t *testing.T) {
	w, c := start(t, slack.Options{})
	ts := withButton(t, w, c)
	conn := dialed(t, w, c)
	sameShape(t, "", example(t, "socket.hello"), next(t, conn))
	pressed := make(chan error, 1)
	go func() { pressed <- w.Click(t.Context(), "C0ALERTS1", ts, "ack", "U061F7AUR") }()
	envelope := next(t, conn)
	payload, _ := envelope["payload"].(map[string]any)
	if envelope["type"] != "interactive" || payload["type"] != "block_actions" {
		t.Fatalf("envelope %v", envelope)
	}
	ack, _ := json.Marshal(map[string]any{"envelope_id": envelope["envelope_id"]})
	if err := conn.Write(t.Context(), websocket.MessageText, ack); err != nil {
		t.Fatal(err)
	}
	if err := <-pressed; err != nil {
		t.Error(err)
	}
	if err := w.Disconnect(t.Context(), "link_disabled"); err != nil {
		t.Fatal(err)
	}
	if got := next(t, conn); got["type"] != "disconnect" || got["reason"] != "link_disabled" {
		t.Errorf("got %v", got)
	}
	if got := call(t, w, c, "apps.connections.open", nil); got["ok"] != false {
		t.Errorf("with the bot's token, and turned off: %v", got)
	}
}

// TestTheLibraryIsServed: Slack's own way of connecting, as slack-go does it,
// works with this fake.
func TestTheLibraryIsServed(t *testing.T) {
	w, c := start(t, slack.Options{PingEvery: 50 * time.Millisecond})
	api := slackgo.New("xoxb-fake", slackgo.OptionAppLevelToken("xapp-fake"), slackgo.OptionAPIURL(w.URL()+"/api/"), slackgo.OptionHTTPClient(c))
	client := socketmode.New(api)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- client.RunContext(ctx) }()
	ts := withButton(t, w, c)
	for event := range client.Events {
		if event.Type == socketmode.EventTypeHello {
			go func() { _ = w.Click(ctx, "C0ALERTS1", ts, "ack", "U061F7AUR") }()
		}
		if event.Type == socketmode.EventTypeInteractive {
			_ = client.Ack(*event.Request)
			break
		}
	}
	if _, err := w.Acknowledged.Wait(ctx, 1); err != nil {
		t.Error(err)
	}
	cancel()
	<-ran
}
