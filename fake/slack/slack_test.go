package slack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	slackgo "github.com/slack-go/slack"
	"go.uber.org/goleak"

	"tocsin/fake"
	"tocsin/fake/slack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o slack.Options) (*slack.Workspace, *http.Client) {
	t.Helper()
	w := slack.New(o)
	if err := w.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(func() { tr.CloseIdleConnections(); _ = w.Close() })
	return w, &http.Client{Transport: tr}
}

func library(w *slack.Workspace, c *http.Client) *slackgo.Client {
	return slackgo.New("xoxb-fake", slackgo.OptionAPIURL(w.URL()+"/api/"), slackgo.OptionHTTPClient(c))
}

// call posts JSON with the token in the header and returns the answer.
func call(t *testing.T, w *slack.Workspace, c *http.Client, method string, args map[string]any) map[string]any {
	t.Helper()
	body, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/api/"+method, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Authorization", "Bearer xoxb-fake")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d", method, resp.StatusCode)
	}
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func example(t *testing.T, name string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// sameShape reports every field of the example that the answer lacks or has with another JSON type.
func sameShape(t *testing.T, at string, example, answer any) {
	t.Helper()
	switch want := example.(type) {
	case map[string]any:
		got, ok := answer.(map[string]any)
		if !ok {
			t.Errorf("%s: got %T, want an object", at, answer)
			return
		}
		for k, v := range want {
			sameShape(t, at+"."+k, v, got[k])
		}
	case string:
		if _, ok := answer.(string); !ok {
			t.Errorf("%s: got %T, want text", at, answer)
		}
	case bool:
		if answer != want && at == ".ok" {
			t.Errorf("%s: got %v, want %v", at, answer, want)
		}
	}
}

func TestAnswersHaveTheShapesOfTheContract(t *testing.T) {
	w, c := start(t, slack.Options{})
	posted := example(t, "chat.postMessage.ok")
	message := posted["message"].(map[string]any)
	answer := call(t, w, c, "chat.postMessage", map[string]any{
		"channel": "C0ALERTS1", "text": message["text"], "blocks": message["blocks"],
	})
	sameShape(t, "", posted, answer)
	sameShape(t, "", example(t, "chat.update.ok"), call(t, w, c, "chat.update", map[string]any{
		"channel": "C0ALERTS1", "ts": answer["ts"], "text": "changed",
	}))
	sameShape(t, "", example(t, "auth.test.ok"), call(t, w, c, "auth.test", nil))
	sameShape(t, "", example(t, "conversations.info.ok"), call(t, w, c, "conversations.info", map[string]any{"channel": "C0ALERTS1"}))
	sameShape(t, "", example(t, "users.info.ok"), call(t, w, c, "users.info", map[string]any{"user": "U061F7AUR"}))
	var blocks []any
	for range 51 {
		blocks = append(blocks, map[string]any{"type": "divider"})
	}
	got := call(t, w, c, "chat.postMessage", map[string]any{"channel": "alerts", "text": "x", "blocks": blocks})
	want := example(t, "error.invalid_blocks")
	for _, k := range []string{"ok", "error", "errors", "response_metadata"} {
		g, _ := json.Marshal(got[k])
		if x, _ := json.Marshal(want[k]); !bytes.Equal(g, x) {
			t.Errorf("invalid_blocks: %s: got %s, want %s", k, g, x)
		}
	}
}

func TestPostAndUpdateWithTheLibrary(t *testing.T) {
	w, c := start(t, slack.Options{})
	api := library(w, c)
	section := slackgo.NewSectionBlock(slackgo.NewTextBlockObject("mrkdwn", "*open*", false, false), nil, nil)
	channel, ts, err := api.PostMessageContext(t.Context(), "#alerts", slackgo.MsgOptionText("fire", false),
		slackgo.MsgOptionBlocks(section), slackgo.MsgOptionAttachments(slackgo.Attachment{Text: "old"}))
	if err != nil {
		t.Fatal(err)
	}
	if channel != "C0ALERTS1" || !regexp.MustCompile(`^\d{10}\.\d{6}$`).MatchString(ts) {
		t.Errorf("got channel %q ts %q", channel, ts)
	}
	if _, _, _, err := api.UpdateMessageContext(t.Context(), channel, ts, slackgo.MsgOptionText("out", false)); err != nil {
		t.Fatal(err)
	}
	m := w.Messages()[0]
	if m.Text != "out" || len(m.Blocks) != 1 || len(m.Attachments) != 1 || m.EditedTS == "" {
		t.Errorf("absent fields were not kept: %+v", m)
	}
	if _, _, _, err := api.UpdateMessageContext(t.Context(), channel, ts, slackgo.MsgOptionBlocks(),
		slackgo.MsgOptionAttachments([]slackgo.Attachment{}...)); err != nil {
		t.Fatal(err)
	}
	if m = w.Messages()[0]; m.Text != "out" || len(m.Blocks) != 0 {
		t.Errorf("an empty list did not clear the blocks: %+v", m)
	}
	_, second, err := api.PostMessageContext(t.Context(), channel, slackgo.MsgOptionText("again", false))
	if err != nil || second <= ts {
		t.Errorf("second ts %q after %q: %v", second, ts, err)
	}
}

// In a bubble the clock stands still, as it may between two posts of one microsecond.
func TestStampsGrowWhileTheClockStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := slack.New(slack.Options{})
		first, second := w.Say("U061F7AUR", "C0ALERTS1", "a"), w.Say("U061F7AUR", "C0ALERTS1", "b")
		if second <= first {
			t.Errorf("%s is not after %s", second, first)
		}
	})
}

func TestRefusals(t *testing.T) {
	w, c := start(t, slack.Options{})
	theirs := w.Say("U061F7AUR", "C0ALERTS1", "hello")
	ours := call(t, w, c, "chat.postMessage", map[string]any{"channel": "alerts", "text": "mine"})["ts"]
	gone := call(t, w, c, "chat.postMessage", map[string]any{"channel": "alerts", "text": "mine"})["ts"]
	w.Forget("C0ALERTS1", gone.(string))
	text := func(n int) map[string]any { return map[string]any{"type": "mrkdwn", "text": strings.Repeat("é", n)} }
	button := map[string]any{"type": "button", "text": map[string]any{"type": "plain_text", "text": strings.Repeat("x", 76)}}
	section := func(n int) map[string]any { return map[string]any{"type": "section", "text": text(n)} }
	for name, test := range map[string]struct {
		method string
		args   map[string]any
		want   string
	}{
		"unknown method":       {"chat.shout", nil, "unknown_method"},
		"unknown channel":      {"chat.postMessage", map[string]any{"channel": "#nowhere", "text": "x"}, "channel_not_found"},
		"archived":             {"chat.postMessage", map[string]any{"channel": "old", "text": "x"}, "is_archived"},
		"not a member":         {"chat.postMessage", map[string]any{"channel": "not-joined", "text": "x"}, "not_in_channel"},
		"nothing to say":       {"chat.postMessage", map[string]any{"channel": "alerts", "text": nil}, "no_text"},
		"blocks no list":       {"chat.postMessage", map[string]any{"channel": "alerts", "blocks": "{"}, "invalid_blocks_format"},
		"section too long":     {"chat.postMessage", map[string]any{"channel": "alerts", "blocks": []any{section(3001)}}, "invalid_blocks"},
		"empty section":        {"chat.postMessage", map[string]any{"channel": "alerts", "blocks": []any{section(0)}}, "invalid_blocks"},
		"unknown block":        {"chat.postMessage", map[string]any{"channel": "alerts", "blocks": []any{map[string]any{"type": "poem"}}}, "invalid_blocks"},
		"button text":          {"chat.postMessage", map[string]any{"channel": "alerts", "blocks": []any{map[string]any{"type": "actions", "elements": []any{button}}}}, "invalid_blocks"},
		"header":               {"chat.postMessage", map[string]any{"channel": "alerts", "blocks": []any{map[string]any{"type": "header", "text": text(151)}}}, "invalid_blocks"},
		"too much in all":      {"chat.postMessage", map[string]any{"channel": "alerts", "blocks": []any{section(3000), section(3000), section(3000), section(3000), section(3000)}}, "msg_blocks_too_long"},
		"blocks in attachment": {"chat.postMessage", map[string]any{"channel": "alerts", "attachments": []any{map[string]any{"blocks": []any{section(3001)}}}}, "invalid_attachments"},
		"attachments":          {"chat.postMessage", map[string]any{"channel": "alerts", "attachments": make([]struct{}, 101)}, "too_many_attachments"},
		"update by name":       {"chat.update", map[string]any{"channel": "alerts", "ts": ours, "text": "x"}, "channel_not_found"},
		"update too long":      {"chat.update", map[string]any{"channel": "C0ALERTS1", "ts": ours, "text": strings.Repeat("x", 4001)}, "msg_too_long"},
		"update of theirs":     {"chat.update", map[string]any{"channel": "C0ALERTS1", "ts": theirs, "text": "x"}, "cant_update_message"},
		"update of nothing":    {"chat.update", map[string]any{"channel": "C0ALERTS1", "ts": gone, "text": "x"}, "message_not_found"},
		"update with nothing":  {"chat.update", map[string]any{"channel": "C0ALERTS1", "ts": ours}, "no_text"},
		"unknown person":       {"users.info", map[string]any{"user": "U1"}, "user_not_found"},
		"bad cursor":           {"conversations.list", map[string]any{"cursor": "x"}, "invalid_cursor"},
	} {
		if got := call(t, w, c, test.method, test.args); got["ok"] != false || got["error"] != test.want {
			t.Errorf("%s: got %v, want %s", name, got, test.want)
		}
	}
	if n := len(w.Messages()); n != 2 {
		t.Errorf("%d messages, want 2: what was refused may not show", n)
	}
}

func TestTextAboveTheLimitIsTruncatedOnPost(t *testing.T) {
	w, c := start(t, slack.Options{})
	got := call(t, w, c, "chat.postMessage", map[string]any{"channel": "U061F7AUR", "text": strings.Repeat("é", 40_001)})
	if got["ok"] != true || got["warning"] != "message_truncated" || got["channel"] != "D061F7AUR" {
		t.Errorf("got ok %v warning %v channel %v", got["ok"], got["warning"], got["channel"])
	}
	if n := len([]rune(w.Messages()[0].Text)); n != 40_000 {
		t.Errorf("%d characters stayed", n)
	}
}

func TestTokenAndScope(t *testing.T) {
	w, c := start(t, slack.Options{Scopes: []string{"users:read"}})
	var refused slackgo.SlackErrorResponse
	_, _, err := library(w, c).PostMessageContext(t.Context(), "alerts", slackgo.MsgOptionText("x", false))
	if !errors.As(err, &refused) || refused.Err != "missing_scope" || refused.Needed != "chat:write" {
		t.Errorf("without the scope: %v", err)
	}
	user, err := library(w, c).GetUserInfoContext(t.Context(), "U061F7AUR")
	if err != nil || user.RealName != "Jane Doe" || user.Profile.Email != "" {
		t.Errorf("without users:read.email: %+v %v", user, err)
	}
	for token, want := range map[string]string{"": "not_authed", "xoxb-other": "invalid_auth"} {
		api := slackgo.New(token, slackgo.OptionAPIURL(w.URL()+"/api/"), slackgo.OptionHTTPClient(c))
		if _, err := api.AuthTestContext(t.Context()); err == nil || err.Error() != want {
			t.Errorf("token %q: got %v, want %s", token, err, want)
		}
	}
}

func TestConversationsComeInShortPages(t *testing.T) {
	w, c := start(t, slack.Options{PageSize: 1})
	var names []string
	cursor, pages := "", 0
	for {
		channels, next, err := library(w, c).GetConversationsContext(t.Context(), &slackgo.GetConversationsParameters{
			Cursor: cursor, Limit: 200, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range channels {
			names = append(names, ch.Name)
		}
		pages++
		if cursor = next; cursor == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "alerts sre-private not-joined" || pages != 3 {
		t.Errorf("got %q on %d pages", got, pages)
	}
}

func TestScriptedTroubleAsTheLibrarySeesIt(t *testing.T) {
	w, c := start(t, slack.Options{})
	post := func() error {
		_, _, err := library(w, c).PostMessageContext(t.Context(), "alerts", slackgo.MsgOptionText("x", false))
		return err
	}
	var limited *slackgo.RateLimitedError
	w.Play(slack.RateLimited("30"))
	if err := post(); !errors.As(err, &limited) || limited.RetryAfter != 30*time.Second {
		t.Errorf("429 with Retry-After: %v", err)
	}
	var status slackgo.StatusCodeError
	w.Play(slack.RateLimited(""), slack.Outage())
	for _, want := range []int{429, 503} {
		if err := post(); !errors.As(err, &status) || status.Code != want {
			t.Errorf("%d: %v", want, err)
		}
	}
	w.Play(slack.RateLimited("soon"))
	if err := post(); err == nil || errors.As(err, &limited) {
		t.Errorf("a Retry-After that is no number: %v", err)
	}
	done := slack.Failure("fatal_error")
	done.Apply = true
	w.Play(done)
	if err := post(); err == nil || err.Error() != "fatal_error" || len(w.Messages()) != 1 {
		t.Errorf("an error after the work: %v, %d messages", err, len(w.Messages()))
	}
	w.Play(fake.Step{Apply: true, Reset: true})
	if err := post(); err == nil || len(w.Messages()) != 2 {
		t.Errorf("a lost answer: %v, %d messages", err, len(w.Messages()))
	}
}
