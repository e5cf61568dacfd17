package slack

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long Slack waits for the app's answer to a click.
const patience = 3 * time.Second

// Ask sets the app's Request URL for interactivity.
func (w *Workspace) Ask(requestURL string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.request = requestURL
}

// Click has a person press a button of a message, over Socket Mode when the app is connected, else by a request to its
// Request URL. An error is what the person would see: the app did not take the click in three seconds.
func (w *Workspace) Click(ctx context.Context, channel, ts, actionID, user string) error {
	payload, err := w.Payload(channel, ts, actionID, user)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s := w.sockets.pick(); s != nil {
		return w.sockets.send(ctx, s, "interactive", payload)
	}
	w.mu.Lock()
	to := w.request
	w.mu.Unlock()
	if to == "" {
		return errors.New("the app has neither a connection nor a Request URL")
	}
	return w.post(ctx, to, Form(payload))
}

// Form is the body of a request that carries a payload: a form with the JSON, its slashes escaped.
func Form(payload []byte) []byte {
	return []byte("payload=" + url.QueryEscape(strings.ReplaceAll(string(payload), "/", `\/`)))
}

// Sign are the headers of a request of Slack's with that body, sent at a time.
func (w *Workspace) Sign(body []byte, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(w.o.SigningSecret))
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", stamp, body) // a hash takes everything
	return http.Header{
		"Content-Type":              {"application/x-www-form-urlencoded"},
		"User-Agent":                {"Slackbot 1.0 (+https://api.slack.com/robots)"},
		"X-Slack-Request-Timestamp": {stamp},
		"X-Slack-Signature":         {"v0=" + hex.EncodeToString(mac.Sum(nil))},
	}
}

func (w *Workspace) post(ctx context.Context, to string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the Request URL: %w", err)
	}
	r.Header = w.Sign(body, time.Now())
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return fmt.Errorf("the app did not answer: %w", err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the app answered %d %s", answer.StatusCode, said)
	}
	return nil
}

// Payload is what Slack sends about a click, as block_actions describes it.
func (w *Workspace) Payload(channel, ts, actionID, user string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.messages, func(m Message) bool { return m.Channel == channel && m.TS == ts })
	if i < 0 {
		return nil, fmt.Errorf("there is no message %s in %s", ts, channel)
	}
	m := w.messages[i]
	pressed := find(m, actionID)
	if pressed == nil {
		return nil, fmt.Errorf("the message %s in %s has no button %s", ts, channel, actionID)
	}
	pressed["action_ts"] = w.stamp("clicks")
	text, err := json.Marshal(w.blockActions(m, pressed, user))
	if err != nil {
		return nil, fmt.Errorf("write the payload: %w", err)
	}
	return text, nil
}

func (w *Workspace) blockActions(m Message, pressed object, user string) object {
	container := object{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": false}
	if len(m.Attachments) > 0 {
		container["type"], container["attachment_id"], container["is_app_unfurl"] = "message_attachment", 1, false
	}
	name, channel := user, ""
	for _, u := range w.o.Users {
		if u.ID == user {
			name = u.Name
		}
	}
	for _, c := range w.o.Channels {
		if c.ID == m.Channel {
			channel = c.Name
		}
	}
	var enterprise any
	if w.o.OrganizationID != "" {
		enterprise = object{"id": w.o.OrganizationID, "name": "Acme Group"}
	}
	return object{ //nolint:gosec // the token is none
		"type": "block_actions", "api_app_id": appID, "token": "deprecated-verification-token",
		"user": object{"id": user, "username": name, "name": name, "team_id": teamID},
		"team": object{"id": teamID, "domain": "acme"}, "enterprise": enterprise, "is_enterprise_install": false,
		"container": container, "channel": object{"id": m.Channel, "name": channel}, "message": m.shown(),
		"trigger_id": "12466734323.1395872398." + w.stamp("triggers"), "state": object{"values": object{}},
		"response_url": w.newReply(m), "actions": []object{pressed},
	}
}

// find is a message's button with that action id, wherever it stands, with the id of its block; nil when there is none.
func find(m Message, actionID string) object {
	blocks := slices.Clone(m.Blocks)
	for _, raw := range m.Attachments {
		var attachment struct{ Blocks []json.RawMessage }
		if json.Unmarshal(raw, &attachment) == nil {
			blocks = append(blocks, attachment.Blocks...)
		}
	}
	for _, raw := range blocks {
		var block struct {
			BlockID  string   `json:"block_id"`
			Elements []object `json:"elements"`
		}
		if json.Unmarshal(raw, &block) != nil {
			continue
		}
		for _, e := range block.Elements {
			if e["action_id"] == actionID {
				e["block_id"] = block.BlockID
				return e
			}
		}
	}
	return nil
}
