package slack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Text limits in characters; docs.slack.dev, chat.postMessage and chat.update.
const (
	postTextMax    = 40_000
	updateTextMax  = 4_000
	attachmentsMax = 100
)

// Message is a message of the workspace as it stands now.
type Message struct {
	Channel     string // id
	TS          string // seconds with six decimals, unique and growing in the channel
	ThreadTS    string // the message it replies to, or empty
	Text        string
	Blocks      []json.RawMessage
	Attachments []json.RawMessage
	Metadata    json.RawMessage
	User        string // who wrote it; the bot's are U0BOT0001
	Parse       string // how text is treated; an update without it sets client, which makes mentions of names
	Updates     int    // how often chat.update changed it
	EditedTS    string // of the last change of its text; changes of blocks alone do not show
}

// Messages returns all messages in the order of their posting, as they stand now.
func (w *Workspace) Messages() []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.messages)
}

// Say has someone other than the bot write a message in a channel, by id, and returns its ts.
func (w *Workspace) Say(user, channel, text string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := Message{Channel: channel, TS: w.stamp(channel), Text: text, User: user}
	w.messages = append(w.messages, m)
	return m.TS
}

// Forget deletes a message, as a person could.
func (w *Workspace) Forget(channel, ts string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages = slices.DeleteFunc(w.messages, func(m Message) bool { return m.Channel == channel && m.TS == ts })
}

func (w *Workspace) postMessage(args arguments) object {
	channel, problem := w.writable(args["channel"])
	if problem != "" {
		return failure(problem)
	}
	c, bad := readContent(args)
	if bad != nil {
		return bad
	}
	if c.empty() {
		return failure("no_text")
	}
	truncated := utf8.RuneCountInString(args["text"]) > postTextMax
	if truncated {
		c.text = string([]rune(args["text"])[:postTextMax])
	}
	m := Message{
		Channel: channel, TS: w.stamp(channel), ThreadTS: args["thread_ts"], User: userID,
		Text: c.text, Blocks: c.blocks, Attachments: c.attachments, Metadata: c.metadata,
	}
	w.messages = append(w.messages, m)
	answer := object{"ok": true, "channel": channel, "ts": m.TS, "message": m.shown()}
	if truncated {
		answer["warning"] = "message_truncated"
		answer["response_metadata"] = object{"warnings": []string{"message_truncated"}}
	}
	return answer
}

func (w *Workspace) update(args arguments) object {
	channel := args["channel"]
	if !w.isID(channel) { // a name or a user id is good for chat.postMessage only
		return failure("channel_not_found")
	}
	i := slices.IndexFunc(w.messages, func(m Message) bool { return m.Channel == channel && m.TS == args["ts"] })
	if i < 0 {
		return failure("message_not_found")
	}
	m := &w.messages[i]
	if m.User != userID {
		return failure("cant_update_message")
	}
	if utf8.RuneCountInString(args["text"]) > updateTextMax {
		return failure("msg_too_long")
	}
	c, bad := readContent(args)
	if bad != nil {
		return bad
	}
	if !c.present {
		return failure("no_text")
	}
	w.change(m, c)
	return object{"ok": true, "channel": channel, "ts": m.TS, "text": m.Text, "message": m.shown()}
}

// change keeps what is absent and clears what is an empty list.
func (w *Workspace) change(m *Message, c content) {
	if c.text != "" && c.text != m.Text {
		m.Text = c.text
		m.EditedTS = w.stamp(m.Channel)
	}
	if c.blocks != nil {
		m.Blocks = c.blocks
	}
	if c.attachments != nil {
		m.Attachments = c.attachments
	}
	if c.metadata != nil {
		m.Metadata = c.metadata
	}
	m.Parse = c.parse
	m.Updates++
}

// shown is the message as answers carry it.
func (m Message) shown() object {
	shown := object{
		"type": "message", "text": m.Text, "user": m.User, "ts": m.TS,
		"bot_id": botID, "app_id": appID, "team": teamID,
	}
	if len(m.Blocks) > 0 {
		shown["blocks"] = m.Blocks
	}
	if len(m.Attachments) > 0 {
		shown["attachments"] = m.Attachments
	}
	if m.ThreadTS != "" {
		shown["thread_ts"] = m.ThreadTS
	}
	if m.EditedTS != "" {
		shown["edited"] = object{"user": botID, "ts": m.EditedTS}
	}
	return shown
}

// content is what a message says.
type content struct {
	text                string
	blocks, attachments []json.RawMessage
	metadata            json.RawMessage
	parse               string
	present             bool // any of the first three was given, if only to clear it
}

func (c content) empty() bool { return c.text == "" && len(c.blocks) == 0 && len(c.attachments) == 0 }

// readContent checks blocks and attachments against Slack's limits; what is wrong is the answer to give.
func readContent(args arguments) (content, object) {
	c := content{text: args["text"], parse: cmp.Or(args["parse"], "client")}
	if args["metadata"] != "" {
		c.metadata = json.RawMessage(args["metadata"])
		if !json.Valid(c.metadata) {
			return c, failure("invalid_metadata_format")
		}
	}
	var err error
	if c.blocks, err = args.list("blocks"); err != nil {
		return c, failure("invalid_blocks_format")
	}
	if c.attachments, err = args.list("attachments"); err != nil {
		return c, failure("invalid_attachments")
	}
	if len(c.attachments) > attachmentsMax {
		return c, failure("too_many_attachments")
	}
	c.present = c.text != "" || c.blocks != nil || c.attachments != nil
	return c, checkContent(c)
}

func checkContent(c content) object {
	var check checker
	check.blocks("/blocks", c.blocks)
	if len(check.found) > 0 {
		return check.failure("invalid_blocks")
	}
	for i, raw := range c.attachments {
		var attachment struct{ Blocks []json.RawMessage }
		if json.Unmarshal(raw, &attachment) != nil {
			return failure("invalid_attachments")
		}
		check.blocks(fmt.Sprintf("/attachments/%d/blocks", i), attachment.Blocks)
	}
	if len(check.found) > 0 {
		return check.failure("invalid_attachments")
	}
	if check.characters > blockTextTotal {
		return failure("msg_blocks_too_long")
	}
	return nil
}

// stamp makes the next message time of a channel: seconds and six decimals, greater than any before it there.
func (w *Workspace) stamp(channel string) string {
	micros := max(time.Now().UnixMicro(), w.last[channel]+1)
	w.last[channel] = micros
	return fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)
}
