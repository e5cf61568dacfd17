// Package ntfy publishes alerts to a topic of ntfy. It subscribes to nothing.
//
// Limits and errors are those of docs.ntfy.sh/publish as of 2026: publish as
// JSON, message priority, limitations.
package ntfy

import (
	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a ntfy actor.
type Settings struct {
	URL   string          `json:"url" title:"Server" doc:"Give the address of the ntfy server" required:"true" format:"uri" max:"500"`
	Token dispatch.Secret `json:"token" title:"Access token" doc:"For topics that are protected: a token, which begins with tk_" secret:"true" max:"200"`
}

// ConfigSettings are those of a ntfy API config.
type ConfigSettings struct {
	Topic string `json:"topic" title:"Topic" doc:"Give the topic that people subscribe to" required:"true" max:"64"`
	Text  string `json:"text" title:"Text" doc:"Give the message" required:"true" template:"true"`
}

// Kind is ntfy on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "ntfy", Title: "ntfy", DefaultName: "ntfy-Default",
		Description:    "Publishes the alert to a topic of ntfy, with a priority by its severity.",
		SetupHelp:      "Give your own server or https://ntfy.sh, and the topic to the API config. Whoever knows the name of an open topic can read it: protect it, and give a token.",
		Settings:       &Settings{URL: "https://ntfy.sh"},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    check,
		Secrets:  func(s *Settings) []string { return []string{string(s.Token)} },
		Request:  publish,
		Remedies: map[int]string{401: remedy, 403: remedy},
	})
}

const remedy = "the topic may not be written to; check secrets.token, and the topic's access control"

func check(s *Settings) error {
	if err := preset.CheckWord("token", s.Token); err != nil {
		return err
	}
	return preset.CheckURL("settings.url", s.URL)
}

// maxMessage is how long a message may be, in bytes; a longer one becomes a file.
const maxMessage = 4096

var (
	style = preset.Style{Limit: maxMessage / 4} // whatever characters are used
	title = preset.Style{Limit: 200}
)

// priorities are those of a phone: 5 rings longest.
var priorities = map[dispatch.Severity]int{dispatch.Info: 2, dispatch.Low: 2, dispatch.Medium: 3, dispatch.High: 4, dispatch.Critical: 5}

type message struct {
	Topic    string `json:"topic"`
	Title    string `json:"title"`
	Message  string `json:"message"`
	Priority int    `json:"priority"`
	Click    string `json:"click,omitempty"`
}

// publish goes to the root of the server; the topic is in the body.
func publish(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	m := preset.Of(c.Text, p)
	r, err := preset.JSON(preset.Join(s.URL, "/"), message{
		Topic: c.Topic, Title: title.Line(m.Title), Message: m.Write(style), Priority: priorities[m.Severity], Click: m.URL,
	})
	if s.Token != "" {
		r = r.With("Authorization", "Bearer "+string(s.Token))
	}
	return r, err
}
