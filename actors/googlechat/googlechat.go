// Package googlechat posts alerts to a space of Google Chat by its webhook; the
// alerts of a ticket share a thread. A webhook cannot change what it posted, so
// nothing follows the ticket.
//
// The request is that of developers.google.com/workspace/chat as of 2026: use
// incoming webhooks, spaces.messages.create, format messages.
package googlechat

import (
	"errors"
	"net/url"

	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Google Chat actor.
type Settings struct {
	URL dispatch.Secret `json:"url" title:"Webhook URL" doc:"Give the URL of the space's webhook, with its key and token" required:"true" secret:"true" max:"2000"`
}

// ConfigSettings are those of a Google Chat API config.
type ConfigSettings struct {
	Text string `json:"text" title:"Text" doc:"Give the message; formatting and mentions are shown as text" required:"true" template:"true"`
}

// Kind is Google Chat on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "googlechat", Title: "Google Chat", DefaultName: "Google-Chat-Default",
		Description:    "Posts the alert to a space of Google Chat, in one thread for each ticket.",
		SetupHelp:      "In the space open **Apps & integrations**, add a webhook, and copy its URL. Nobody is mentioned, whatever an alert says.",
		Settings:       &Settings{},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    func(s *Settings) error { return preset.CheckURL("secrets.url", string(s.URL)) },
		Secrets:  func(s *Settings) []string { return preset.Address(s.URL) },
		Request:  post,
		Remedies: map[int]string{401: remedy, 403: remedy, 404: remedy},
	})
}

const remedy = "the webhook is not there any more, or its key is wrong; copy secrets.url again from the space"

// maxBody is how long a message may be, in bytes.
const maxBody = 32_000

// style: Google Chat has no escapes, so that a character without width takes its
// meaning from a sign; the limit fits whatever characters are used.
var style = preset.Style{
	Strong: "*", Limit: 3000,
	Link: func(name, url string) string { return "<" + url + "|" + name + ">" },
	Escape: map[rune]string{
		'*': "\u200b*\u200b", '_': "\u200b_\u200b", '~': "\u200b~\u200b", '`': "\u200b'", '<': "<\u200b", '@': preset.Silent,
	},
}

type message struct {
	Text   string  `json:"text"`
	Thread *thread `json:"thread,omitempty"`
}

type thread struct {
	Key string `json:"threadKey"`
}

// post carries the delivery's id, by which Google Chat knows a repeat.
func post(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	u, err := url.Parse(string(s.URL))
	if err != nil {
		return preset.Request{}, errors.New("secrets.url is not a web address")
	}
	m := message{Text: preset.Of(c.Text, p).Write(style)}
	query := u.Query()
	query.Set("requestId", p.DeliveryID)
	if p.Ticket != nil {
		m.Thread = &thread{p.Ticket.ID}
		query.Set("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
	}
	u.RawQuery = query.Encode()
	return preset.JSON(u.String(), m)
}
