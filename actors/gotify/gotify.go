// Package gotify sends alerts to a Gotify server as one of its applications. It
// reads no messages and deletes none.
//
// The request is that of gotify.net/docs as of 2026: push messages, message extras.
package gotify

import (
	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Gotify actor.
type Settings struct {
	URL   string          `json:"url" title:"Server" doc:"Give the address of the Gotify server" required:"true" format:"uri" max:"500"`
	Token dispatch.Secret `json:"token" title:"Application token" doc:"Give the token of an application, not of a client" required:"true" secret:"true" max:"200"`
}

// ConfigSettings are those of a Gotify API config.
type ConfigSettings struct {
	Text string `json:"text" title:"Text" doc:"Give the message" required:"true" template:"true"`
}

// Kind is Gotify on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "gotify", Title: "Gotify", DefaultName: "Gotify-Default",
		Description:    "Sends the alert to a Gotify server, with a priority by its severity.",
		SetupHelp:      "On the Gotify server make an application under **Apps** and give its token here.",
		Settings:       &Settings{},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    check,
		Secrets:  func(s *Settings) []string { return []string{string(s.Token)} },
		Request:  push,
		Remedies: map[int]string{401: remedy, 403: remedy},
	})
}

const remedy = "the token is not that of an application; copy secrets.token again from the server's page Apps"

func check(s *Settings) error {
	if err := preset.CheckWord("token", s.Token); err != nil {
		return err
	}
	return preset.CheckURL("settings.url", s.URL)
}

// The server states no limit; what is longer than this nobody reads on a phone.
var (
	style = preset.Style{Limit: 4000}
	title = preset.Style{Limit: 200}
)

// priorities: from 4 the phone makes a sound, from 8 it shows the message at once.
var priorities = map[dispatch.Severity]int{dispatch.Info: 1, dispatch.Low: 3, dispatch.Medium: 5, dispatch.High: 8, dispatch.Critical: 10}

type message struct {
	Title    string         `json:"title"`
	Message  string         `json:"message"`
	Priority int            `json:"priority"`
	Extras   map[string]any `json:"extras,omitempty"`
}

func push(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	m := preset.Of(c.Text, p)
	body := message{Title: title.Line(m.Title), Message: m.Write(style), Priority: priorities[m.Severity]}
	if m.URL != "" {
		body.Extras = map[string]any{"client::notification": map[string]any{"click": map[string]string{"url": m.URL}}}
	}
	r, err := preset.JSON(preset.Join(s.URL, "/message"), body)
	return r.With("X-Gotify-Key", string(s.Token)), err
}
