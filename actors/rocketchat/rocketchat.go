// Package rocketchat posts alerts to a Rocket.Chat channel by an incoming
// integration. An integration cannot change what it posted, so nothing follows
// the ticket.
//
// The request is that of docs.rocket.chat as of 2026: incoming webhook
// integrations; messages have at most 5000 characters unless the server says otherwise.
package rocketchat

import (
	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Rocket.Chat actor.
type Settings struct {
	URL dispatch.Secret `json:"url" title:"Webhook URL" doc:"Give the URL of the incoming integration, such as https://chat.example.com/hooks/…" required:"true" secret:"true" max:"2000"`
}

// ConfigSettings are those of a Rocket.Chat API config.
type ConfigSettings struct {
	Channel string `json:"channel" title:"Channel" doc:"Only where it is not the integration's own: #channel, or @name of a person" max:"100"`
	Text    string `json:"text" title:"Text" doc:"Give the message; formatting and mentions are shown as text" required:"true" template:"true"`
}

// Kind is Rocket.Chat on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "rocketchat", Title: "Rocket.Chat", DefaultName: "Rocket.Chat-Default",
		Description:    "Posts the alert to a Rocket.Chat channel.",
		SetupHelp:      "In Rocket.Chat make an incoming integration under **Administration**, **Integrations**, enable it, and copy its webhook URL. Nobody is mentioned, whatever an alert says.",
		Settings:       &Settings{},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    func(s *Settings) error { return preset.CheckURL("secrets.url", string(s.URL)) },
		Secrets:  func(s *Settings) []string { return preset.Address(s.URL) },
		Request:  post,
		Remedies: map[int]string{401: remedy, 403: remedy, 404: remedy},
	})
}

const remedy = "the integration is not there or not enabled; check it on the server, and secrets.url"

const maxText = 5000

// style has no escapes for Rocket.Chat's formatting, which knows none: a
// character without width takes its meaning from a sign.
var style = preset.Style{
	Strong: "*", Limit: 3000,
	Escape: map[rune]string{
		'*': "\u200b*\u200b", '_': "\u200b_\u200b", '~': "\u200b~\u200b", '`': "\u200b'", '[': "[\u200b", '@': preset.Silent,
	},
}

type message struct {
	Channel string `json:"channel,omitempty"`
	Text    string `json:"text"`
}

func post(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	return preset.JSON(string(s.URL), message{c.Channel, preset.Of(c.Text, p).Write(style)})
}
