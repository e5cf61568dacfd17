// Package mattermost posts alerts to a Mattermost channel by an incoming webhook.
// A webhook cannot change what it posted, so nothing follows the ticket.
//
// The request is that of developers.mattermost.com as of 2026: incoming webhooks.
package mattermost

import (
	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Mattermost actor.
type Settings struct {
	URL dispatch.Secret `json:"url" title:"Webhook URL" doc:"Give the URL of the incoming webhook, such as https://chat.example.com/hooks/…" required:"true" secret:"true" max:"2000"`
}

// ConfigSettings are those of a Mattermost API config.
type ConfigSettings struct {
	Channel string `json:"channel" title:"Channel" doc:"Only where it is not the webhook's own: the channel's name as its address shows it, or @name of a person" max:"64"`
	Text    string `json:"text" title:"Text" doc:"Give the message; Markdown and mentions are shown as text" required:"true" template:"true"`
}

// Kind is Mattermost on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "mattermost", Title: "Mattermost", DefaultName: "Mattermost-Default",
		Description:    "Posts the alert to a Mattermost channel.",
		SetupHelp:      "In Mattermost make an incoming webhook under **Integrations** and copy its URL. Nobody is mentioned, whatever an alert says.",
		Settings:       &Settings{},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    func(s *Settings) error { return preset.CheckURL("secrets.url", string(s.URL)) },
		Secrets:  func(s *Settings) []string { return preset.Address(s.URL) },
		Request:  post,
		Remedies: map[int]string{401: remedy, 403: remedy},
		Blame:    blame,
	})
}

const remedy = "the webhook may not post; check secrets.url, and that incoming webhooks are enabled on the server"

// maxText is how long a post may be, in characters.
const maxText = 16383

// style escapes Markdown. What is longer than its limit nobody reads in a channel.
var style = preset.Style{
	Strong: "**", Limit: 4000,
	Link: func(name, url string) string { return "[" + name + "](" + url + ")" },
	Escape: map[rune]string{
		'\\': `\\`, '*': `\*`, '_': `\_`, '~': `\~`, '`': "\\`", '|': `\|`, '>': `\>`, '<': `\<`, '[': `\[`, ']': `\]`, '#': `\#`,
		'!': `\!`, '@': preset.Silent,
	},
}

type message struct {
	Channel string `json:"channel,omitempty"`
	Text    string `json:"text"`
}

func post(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	return preset.JSON(string(s.URL), message{c.Channel, preset.Of(c.Text, p).Write(style)})
}

// blame: a webhook that was deleted is answered as a bad request.
func blame(_ int, body []byte) string {
	if preset.Says(body, "id", "web.incoming_webhook.invalid.app_error") {
		return "the webhook is not there any more; make another and give its address as secrets.url"
	}
	return ""
}
