package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// A response_url is good for five uses in thirty minutes: docs.slack.dev, handling user interaction.
const (
	replyPath = "/actions/" + teamID + "/"
	replyUses = 5
	replyLife = 30 * time.Minute
)

// reply is a response_url.
type reply struct {
	message Message
	made    time.Time
	uses    int
}

func (w *Workspace) newReply(m Message) string {
	name := strconv.Itoa(len(w.replies) + 1)
	w.replies[name] = &reply{message: m, made: time.Now()}
	return w.URL() + replyPath + name
}

func (w *Workspace) answerReply(rw http.ResponseWriter, r *http.Request, name string) {
	var said struct {
		Replace     bool              `json:"replace_original"`
		Delete      bool              `json:"delete_original"`
		Visibility  string            `json:"response_type"`
		Text        string            `json:"text"`
		Blocks      []json.RawMessage `json:"blocks"`
		Attachments []json.RawMessage `json:"attachments"`
	}
	if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
		http.Error(rw, "invalid_payload", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.replies[name]
	if problem := u.use(); problem != "" {
		http.Error(rw, problem, http.StatusNotFound)
		return
	}
	at := slices.IndexFunc(w.messages, func(m Message) bool { return m.Channel == u.message.Channel && m.TS == u.message.TS })
	switch {
	case said.Delete && at >= 0:
		w.messages = slices.Delete(w.messages, at, at+1)
	case said.Replace && at >= 0:
		w.change(&w.messages[at], content{text: said.Text, blocks: said.Blocks, attachments: said.Attachments, parse: "client"})
	case said.Visibility == "in_channel":
		w.messages = append(w.messages, Message{
			Channel: u.message.Channel, TS: w.stamp(u.message.Channel), User: userID,
			Text: said.Text, Blocks: said.Blocks, Attachments: said.Attachments,
		})
	}
	_, _ = fmt.Fprint(rw, "ok") // who asked may have gone
}

// use counts one use; what is wrong with it is the answer to give.
func (u *reply) use() string {
	switch {
	case u == nil:
		return "no_such_url"
	case time.Since(u.made) > replyLife:
		return "expired_url"
	case u.uses == replyUses:
		return "used_url"
	}
	u.uses++
	return ""
}
