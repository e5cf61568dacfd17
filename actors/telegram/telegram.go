// Package telegram sends alerts to a Telegram chat as a bot, and keeps the
// messages at their tickets' status. It reads no updates and has no buttons.
//
// Limits and errors are those of core.telegram.org/bots/api as of 2026: making
// requests, formatting options, sendMessage, editMessageText, ResponseParameters.
package telegram

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Telegram actor.
type Settings struct {
	BotToken dispatch.Secret `json:"botToken" title:"Bot token" doc:"Give the token that BotFather gave, such as 110201543:AAHdqTcv…" required:"true" secret:"true" max:"200"`
	APIURL   string          `json:"apiUrl" title:"API address" doc:"Give the address of the Bot API; only a server of your own needs another" required:"true" format:"uri" max:"500"`
}

// ConfigSettings are those of a Telegram API config.
type ConfigSettings struct {
	Chat string `json:"chat" title:"Chat" doc:"Give the chat's id, such as -1001234567890, or @name of a public channel" required:"true" max:"100"`
	Text string `json:"text" title:"Text" doc:"Give the message; HTML is shown as text" required:"true" template:"true"`
}

// Kind is Telegram on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "telegram", Title: "Telegram", DefaultName: "Telegram-Default",
		Description:    "Sends the alert to a Telegram chat as a bot and keeps the message at the ticket's status.",
		SetupHelp:      "Make a bot with [@BotFather](https://t.me/BotFather), add it to the chat, and give its token here and the chat's id to the API config.",
		Settings:       &Settings{APIURL: "https://api.telegram.org"},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check: check,
		Secrets: func(s *Settings) []string {
			_, key, _ := strings.Cut(string(s.BotToken), ":")
			return []string{string(s.BotToken), key}
		},
		Request:  send,
		Remedies: map[int]string{401: remedy, 404: remedy},
		Wait:     wait,
		Ref:      made,
		Update:   edit,
		IsGone: func(_ int, body []byte) bool {
			return says(body, "message to edit not found", "message can't be edited", "chat not found")
		},
		IsSame: func(_ int, body []byte) bool { return says(body, "message is not modified") },
		Test: func(s *Settings) (preset.Request, error) {
			return preset.Request{Method: http.MethodGet, URL: s.method("getMe")}, nil
		},
	})
}

const remedy = "the bot is not known; copy secrets.botToken again from BotFather"

var token = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)

func check(s *Settings) error {
	if !token.MatchString(string(s.BotToken)) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.botToken", "is not a bot token; copy it from BotFather, such as 110201543:AAHdqTcv…")
	}
	return preset.CheckURL("settings.apiUrl", s.APIURL)
}

func (s *Settings) method(name string) string {
	return preset.Join(s.APIURL, "/bot"+string(s.BotToken)+"/"+name)
}

// maxText is how long a message may be, in characters of UTF-16 and without its
// formatting; half of it fits whatever characters are used.
const maxText = 4096

var style = preset.Style{
	Limit: maxText / 2,
	Link:  func(name, url string) string { return `<a href="` + url + `">` + name + `</a>` },
	Escape: map[rune]string{
		'<': "&lt;", '>': "&gt;", '&': "&amp;", '"': "&quot;", '@': preset.Silent,
	},
}

type message struct {
	Chat    string  `json:"chat_id"`
	ID      int64   `json:"message_id,omitempty"`
	Text    string  `json:"text"`
	Mode    string  `json:"parse_mode"`
	Preview preview `json:"link_preview_options"`
}

type preview struct {
	IsDisabled bool `json:"is_disabled"`
}

func text(chat string, m preset.Message) message {
	return message{Chat: chat, Text: m.Write(style), Mode: "HTML", Preview: preview{true}}
}

func send(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	return preset.JSON(s.method("sendMessage"), text(c.Chat, preset.Of(c.Text, p)))
}

// made names the message by its chat, within which its number is unique.
func made(_ *Settings, c *ConfigSettings, body []byte) (dispatch.Ref, error) {
	var answer struct {
		Result struct {
			ID   int64 `json:"message_id"`
			Chat struct{ ID json.Number }
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Result.ID == 0 {
		return dispatch.Ref{}, errors.New("telegram did not say the message's id")
	}
	chat := answer.Result.Chat.ID.String()
	if chat == "" {
		chat = c.Chat
	}
	return dispatch.Ref{ID: chat + ":" + strconv.FormatInt(answer.Result.ID, 10)}, nil
}

func edit(s *Settings, c *ConfigSettings, u dispatch.StatusUpdate) (preset.Request, error) {
	chat, number, _ := strings.Cut(u.Link.ExternalID, ":")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return preset.Request{}, errors.New("the link does not say which message it is")
	}
	m := text(chat, preset.OfUpdate(c.Text, u))
	m.ID = id
	return preset.JSON(s.method("editMessageText"), m)
}

// wait is retry_after of the answer's parameters, in seconds.
func wait(body []byte) time.Duration {
	var answer struct {
		Parameters struct {
			RetryAfter float64 `json:"retry_after"`
		}
	}
	_ = json.Unmarshal(body, &answer) // without it Retry-After holds
	return preset.Seconds(answer.Parameters.RetryAfter)
}

func says(body []byte, texts ...string) bool {
	var answer struct{ Description string }
	_ = json.Unmarshal(body, &answer) // an answer of somebody else says nothing
	for _, text := range texts {
		if strings.Contains(answer.Description, text) {
			return true
		}
	}
	return false
}
