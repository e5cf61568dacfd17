// Package discord posts alerts to a Discord channel by its webhook, and keeps the
// messages at their tickets' status. It has no bot and hears nothing.
//
// Limits and errors are those of docs.discord.com as of 2026: webhook resource
// (execute, edit message), rate limits, message formatting, opcodes and status codes.
package discord

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Discord actor.
type Settings struct {
	URL dispatch.Secret `json:"url" title:"Webhook URL" doc:"Give the URL of the channel's webhook, such as https://discord.com/api/webhooks/…" required:"true" secret:"true" max:"2000"`
}

// ConfigSettings are those of a Discord API config.
type ConfigSettings struct {
	Text string `json:"text" title:"Text" doc:"Give the message; Discord's formatting and mentions are shown as text" required:"true" template:"true"`
}

// Kind is Discord on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "discord", Title: "Discord", DefaultName: "Discord-Default",
		Description:    "Posts the alert to a Discord channel and keeps the message at the ticket's status.",
		SetupHelp:      "In the channel's settings under **Integrations** make a webhook and copy its URL. Nobody is mentioned, whatever an alert says.",
		Settings:       &Settings{},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    func(s *Settings) error { return preset.CheckURL("secrets.url", string(s.URL)) },
		Secrets:  func(s *Settings) []string { return preset.Address(s.URL) },
		Request:  post,
		Remedies: map[int]string{401: remedy, 404: remedy},
		Wait:     wait,
		Ref:      made,
		Update:   edit,
		IsGone: func(status int, body []byte) bool {
			return status == http.StatusNotFound && code(body) == unknownMessage
		},
		Test: func(s *Settings) (preset.Request, error) {
			return preset.Request{Method: http.MethodGet, URL: string(s.URL)}, nil
		},
	})
}

const remedy = "the webhook is not there any more; make another and give its address as secrets.url"

// maxContent is how long a message may be, in characters.
const maxContent = 2000

var style = preset.Style{
	Strong: "**", Limit: maxContent,
	Link: func(name, url string) string { return "[" + name + "](<" + url + ">)" }, // in < > it gets no preview
	Escape: map[rune]string{
		'\\': `\\`, '*': `\*`, '_': `\_`, '~': `\~`, '`': "\\`", '|': `\|`, '>': `\>`, '<': `\<`, '[': `\[`, ']': `\]`, '#': `\#`,
		'@': preset.Silent,
	},
}

type message struct {
	Content  string   `json:"content"`
	Mentions mentions `json:"allowed_mentions"`
}

// mentions without any kind let nobody be called.
type mentions struct {
	Parse []string `json:"parse"`
}

func content(m preset.Message) message { return message{m.Write(style), mentions{[]string{}}} }

// post asks to wait for the message, so that its id comes back.
func post(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	u, err := url.Parse(string(s.URL))
	if err != nil {
		return preset.Request{}, errors.New("secrets.url is not a web address")
	}
	query := u.Query()
	query.Set("wait", "true")
	u.RawQuery = query.Encode()
	return preset.JSON(u.String(), content(preset.Of(c.Text, p)))
}

func made(_ *Settings, _ *ConfigSettings, body []byte) (dispatch.Ref, error) {
	var m struct{ ID string }
	if err := json.Unmarshal(body, &m); err != nil || m.ID == "" {
		return dispatch.Ref{}, errors.New("discord did not say the message's id")
	}
	return dispatch.Ref{ID: m.ID}, nil
}

func edit(s *Settings, c *ConfigSettings, u dispatch.StatusUpdate) (preset.Request, error) {
	address, err := url.Parse(string(s.URL))
	if err != nil {
		return preset.Request{}, errors.New("secrets.url is not a web address")
	}
	r, err := preset.JSON(address.JoinPath("messages", u.Link.ExternalID).String(), content(preset.OfUpdate(c.Text, u)))
	r.Method = http.MethodPatch
	return r, err
}

// wait is retry_after, in seconds with a fraction.
func wait(body []byte) time.Duration {
	var limit struct {
		RetryAfter float64 `json:"retry_after"`
	}
	_ = json.Unmarshal(body, &limit) // without it Retry-After holds
	return preset.Seconds(limit.RetryAfter)
}

// unknownMessage is Discord's code for a message that is not there.
const unknownMessage = 10008

func code(body []byte) int {
	var problem struct{ Code int }
	_ = json.Unmarshal(body, &problem) // an answer of somebody else has no code
	return problem.Code
}
