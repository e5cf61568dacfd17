package slack_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	slackgo "github.com/slack-go/slack"

	"tocsin/fake"
	"tocsin/fake/slack"
)

// withButton posts a message with a button and returns its ts.
func withButton(t *testing.T, w *slack.Workspace, c *http.Client) string {
	t.Helper()
	button := slackgo.NewButtonBlockElement("ack", "https://x.example/1", slackgo.NewTextBlockObject("plain_text", "Acknowledge", false, false))
	_, ts, err := library(w, c).PostMessageContext(t.Context(), "alerts", slackgo.MsgOptionText("alert", false),
		slackgo.MsgOptionAttachments(slackgo.Attachment{Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{slackgo.NewActionBlock("b", button)}}}),
		slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: "e", EventPayload: map[string]any{"id": "1"}}))
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func TestClicksAreSignedRequestsOfTheContract(t *testing.T) {
	w, c := start(t, slack.Options{})
	ts := withButton(t, w, c)
	var got http.Header
	var body []byte
	status := http.StatusOK
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got = r.Header
		body, _ = io.ReadAll(r.Body)
		rw.WriteHeader(status)
	}))
	defer app.Close()
	if err := w.Click(t.Context(), "C0ALERTS1", ts, "ack", "U061F7AUR"); err == nil {
		t.Error("a click went nowhere, and nobody saw it")
	}
	w.Ask(app.URL)
	if err := w.Click(t.Context(), "C0ALERTS1", ts, "ack", "U061F7AUR"); err != nil {
		t.Fatal(err)
	}
	v, err := slackgo.NewSecretsVerifier(got, "8f742231b10e8888abcd99yyyzzz85a5")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = v.Write(body)
	if err := v.Ensure(); err != nil {
		t.Error(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !strings.Contains(form.Get("payload"), `https:\/\/x.example\/1`) {
		t.Errorf("the slashes are not escaped: %s", form.Get("payload"))
	}
	var payload map[string]any
	if err := json.Unmarshal([]byte(form.Get("payload")), &payload); err != nil {
		t.Fatal(err)
	}
	sameShape(t, "", example(t, "block_actions.in-attachment.payload"), payload)
	status = http.StatusInternalServerError
	if err := w.Click(t.Context(), "C0ALERTS1", ts, "ack", "U061F7AUR"); err == nil {
		t.Error("the app failed, and nobody saw it")
	}
	for name, where := range map[string][3]string{"message": {"C0ALERTS1", "1.000000", "ack"}, "button": {"C0ALERTS1", ts, "shout"}} {
		if err := w.Click(t.Context(), where[0], where[1], where[2], "U061F7AUR"); err == nil {
			t.Errorf("no such %s, and it was clicked", name)
		}
	}
}

func TestResponseURLIsGoodForFiveUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := fake.NewPipe()
		w := slack.New(slack.Options{})
		w.Serve(pipe)
		tr := &http.Transport{DialContext: pipe.DialContext}
		c := &http.Client{Transport: tr}
		defer func() { tr.CloseIdleConnections(); _ = w.Close() }()
		ts := withButton(t, w, c)
		use := func(url, body string) string {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
			answer, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			said, _ := io.ReadAll(answer.Body)
			return strings.TrimSpace(string(said))
		}
		made := func() string {
			payload, err := w.Payload("C0ALERTS1", ts, "ack", "U061F7AUR")
			if err != nil {
				t.Fatal(err)
			}
			var p struct {
				URL string `json:"response_url"`
			}
			_ = json.Unmarshal(payload, &p)
			return p.URL
		}
		first, second := made(), made()
		for n, body := range []string{
			`{"replace_original":true,"text":"changed"}`, `{"response_type":"in_channel","text":"all"}`,
			`{"response_type":"ephemeral","text":"you"}`, `{}`, `{"delete_original":true}`,
		} {
			if said := use(first, body); said != "ok" {
				t.Errorf("use %d: %s", n+1, said)
			}
		}
		if said := use(first, `{}`); said != "used_url" {
			t.Errorf("the sixth use: %s", said)
		}
		<-time.After(31 * time.Minute)
		if said := use(second, `{}`); said != "expired_url" {
			t.Errorf("after 31 minutes: %s", said)
		}
		if m := w.Messages(); len(m) != 1 || m[0].Text != "all" {
			t.Errorf("messages %+v", m)
		}
	})
}

func TestHistory(t *testing.T) {
	w, c := start(t, slack.Options{PageSize: 2})
	api := library(w, c)
	root := withButton(t, w, c)
	if _, _, err := api.PostMessageContext(t.Context(), "alerts", slackgo.MsgOptionText("reply", false), slackgo.MsgOptionTS(root)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.Say("U061F7AUR", "C0ALERTS1", "chatter")
	}
	page, err := api.GetConversationHistoryContext(t.Context(), &slackgo.GetConversationHistoryParameters{ChannelID: "C0ALERTS1", IncludeAllMetadata: true})
	if err != nil || len(page.Messages) != 2 || !page.HasMore || page.Messages[0].Timestamp < page.Messages[1].Timestamp {
		t.Fatalf("first page %+v %v", page, err)
	}
	page, err = api.GetConversationHistoryContext(t.Context(), &slackgo.GetConversationHistoryParameters{
		ChannelID: "C0ALERTS1", IncludeAllMetadata: true, Cursor: page.ResponseMetaData.NextCursor,
	})
	if err != nil || len(page.Messages) != 1 || page.Messages[0].Metadata.EventPayload["id"] != "1" {
		t.Errorf("second page %+v %v", page, err)
	}
	page, err = api.GetConversationHistoryContext(t.Context(), &slackgo.GetConversationHistoryParameters{ChannelID: "C0ALERTS1", Oldest: root})
	if err != nil || len(page.Messages) != 2 {
		t.Errorf("after the first message: %+v %v", page, err)
	}
	replies, _, _, err := api.GetConversationRepliesContext(t.Context(), &slackgo.GetConversationRepliesParameters{ChannelID: "C0ALERTS1", Timestamp: root})
	if err != nil || len(replies) != 2 || replies[1].Text != "reply" || replies[0].Metadata.EventType != "" {
		t.Errorf("thread %+v %v", replies, err)
	}
	for method, want := range map[string]string{"C0OTHER01": "not_in_channel", "C1": "channel_not_found"} {
		if got := call(t, w, c, "conversations.history", map[string]any{"channel": method}); got["error"] != want {
			t.Errorf("%s: %v, want %s", method, got, want)
		}
	}
	if got := call(t, w, c, "conversations.replies", map[string]any{"channel": "C0ALERTS1", "ts": "1.000000"}); got["error"] != "thread_not_found" {
		t.Errorf("no such thread: %v", got)
	}
}

func TestUpdateKeepsMetadataAndResetsParse(t *testing.T) {
	w, c := start(t, slack.Options{})
	ts := withButton(t, w, c)
	for _, parse := range []string{"none", ""} {
		args := map[string]any{"channel": "C0ALERTS1", "ts": ts, "text": "new " + parse}
		if parse != "" {
			args["parse"] = parse
		}
		call(t, w, c, "chat.update", args)
		want := parse
		if want == "" {
			want = "client"
		}
		if m := w.Messages()[0]; len(m.Metadata) == 0 || m.Parse != want || len(m.Attachments) != 1 {
			t.Errorf("parse %q: %+v", parse, m)
		}
	}
}
