// Package zulip sends alerts to a channel of Zulip as a bot, under a topic. It
// hears nothing and changes no messages.
//
// Limits and errors are those of zulip.com/api as of 2026: send a message, HTTP
// headers, rest error handling; a message has at most 10000 bytes, a topic 60.
package zulip

import (
	"net/http"
	"time"

	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Zulip actor.
type Settings struct {
	URL    string          `json:"url" title:"Server" doc:"Give the address of the organization, such as https://example.zulipchat.com" required:"true" format:"uri" max:"500"`
	Email  string          `json:"email" title:"Bot's e-mail" doc:"Give the bot's e-mail address, such as alerts-bot@example.zulipchat.com" required:"true" max:"320"`
	APIKey dispatch.Secret `json:"apiKey" title:"API key" doc:"Give the bot's API key" required:"true" secret:"true" max:"200"`
}

// ConfigSettings are those of a Zulip API config.
type ConfigSettings struct {
	Channel string `json:"channel" title:"Channel" doc:"Give the channel's name" required:"true" max:"60"`
	Topic   string `json:"topic" title:"Topic" doc:"Give the topic; what is longer than 60 characters is cut" required:"true" template:"true"`
	Text    string `json:"text" title:"Text" doc:"Give the message; Markdown and mentions are shown as text" required:"true" template:"true"`
}

// Kind is Zulip on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "zulip", Title: "Zulip", DefaultName: "Zulip-Default",
		Description:    "Sends the alert to a channel of Zulip as a bot, under a topic.",
		SetupHelp:      "In Zulip under **Personal settings**, **Bots** make an incoming webhook bot, subscribe it to the channel where that is private, and give its e-mail address and API key here.",
		Settings:       &Settings{},
		ConfigSettings: &ConfigSettings{Topic: "{{.Alert.BehaviorModel}}", Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    check,
		Secrets:  func(s *Settings) []string { return []string{string(s.APIKey)} },
		Request:  send,
		Remedies: map[int]string{401: "the bot is not known or was turned off; check settings.email and secrets.apiKey"},
		Wait:     wait,
		Test: func(s *Settings) (preset.Request, error) {
			return preset.Request{
				Method: http.MethodGet, URL: preset.Join(s.URL, "/api/v1/users/me"), User: s.Email, Password: string(s.APIKey),
			}, nil
		},
	})
}

func check(s *Settings) error {
	if err := preset.CheckWord("apiKey", s.APIKey); err != nil {
		return err
	}
	return preset.CheckURL("settings.url", s.URL)
}

const (
	maxContent = 10_000 // bytes
	maxTopic   = 60     // characters
)

var (
	// style: the limit fits whatever characters are used.
	style = preset.Style{
		Strong: "**", Limit: maxContent / 4,
		Link: func(name, url string) string { return "[" + name + "](" + url + ")" },
		Escape: map[rune]string{
			'\\': `\\`, '*': `\*`, '_': `\_`, '~': `\~`, '`': "\\`", '>': `\>`, '[': `\[`, ']': `\]`, '#': `\#`, '@': preset.Silent,
		},
	}
	topic = preset.Style{Limit: maxTopic}
)

func send(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	r := preset.Form(preset.Join(s.URL, "/api/v1/messages"), map[string]string{
		"type": "stream", "to": c.Channel, "topic": topic.Line(c.Topic), "content": preset.Of(c.Text, p).Write(style),
	})
	r.User, r.Password = s.Email, string(s.APIKey)
	return r, nil
}

// wait is retry-after of the body, in seconds with a fraction.
func wait(body []byte) time.Duration { return preset.Seconds(preset.Number(body, "retry-after")) }
