// Package pushover sends alerts to a person or a group of Pushover. It asks for
// no receipts, so whoever confirms a message there changes nothing here.
//
// Limits and errors are those of pushover.net/api as of 2026: message limits,
// priority, responses, verifying users.
package pushover

import (
	"net/http"
	"strconv"

	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Pushover actor.
type Settings struct {
	Token  dispatch.Secret `json:"token" title:"Application token" doc:"Give the API token of an application of yours" required:"true" secret:"true" max:"100"`
	User   dispatch.Secret `json:"user" title:"User or group key" doc:"Give the key of the person or the group that is told" required:"true" secret:"true" max:"100"`
	APIURL string          `json:"apiUrl" title:"API address" doc:"Give the address of the API; only a proxy or a test needs another" required:"true" format:"uri" max:"500"`
}

// ConfigSettings are those of a Pushover API config.
type ConfigSettings struct {
	Device string `json:"device" title:"Device" doc:"Only where not all devices are meant: the name of one" max:"25"`
	Text   string `json:"text" title:"Text" doc:"Give the message" required:"true" template:"true"`
}

// Kind is Pushover on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "pushover", Title: "Pushover", DefaultName: "Pushover-Default",
		Description:    "Sends the alert to a person or a group of Pushover, with a priority by its severity.",
		SetupHelp:      "On [pushover.net](https://pushover.net) make an application and give its API token here, with the key of the person or group.",
		Settings:       &Settings{APIURL: "https://api.pushover.net"},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    check,
		Secrets:  func(s *Settings) []string { return []string{string(s.Token), string(s.User)} },
		Request:  send,
		Remedies: map[int]string{401: "check secrets.token and secrets.user"},
		Blame:    blame,
		Test: func(s *Settings) (preset.Request, error) {
			return preset.Form(preset.Join(s.APIURL, "/1/users/validate.json"), s.keys()), nil
		},
	})
}

func check(s *Settings) error {
	if err := preset.CheckWord("token", s.Token); err != nil {
		return err
	}
	if err := preset.CheckWord("user", s.User); err != nil {
		return err
	}
	return preset.CheckURL("settings.apiUrl", s.APIURL)
}

func (s *Settings) keys() map[string]string {
	return map[string]string{"token": string(s.Token), "user": string(s.User)}
}

// maxMessage and maxTitle are how long the texts may be, in characters.
const (
	maxMessage = 1024
	maxTitle   = 250
)

var (
	style = preset.Style{Limit: maxMessage}
	title = preset.Style{Limit: maxTitle}
)

// priorities: 1 breaks through quiet hours. 2 repeats until somebody confirms,
// which a person must ask for, and is not used.
var priorities = map[dispatch.Severity]int{dispatch.Info: -1, dispatch.Low: -1, dispatch.High: 1, dispatch.Critical: 1}

func send(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	m := preset.Of(c.Text, p)
	link := m.URL
	m.URL = "" // it has a field of its own
	form := s.keys()
	form["device"], form["title"], form["message"] = c.Device, title.Line(m.Title), m.Write(style)
	form["priority"] = strconv.Itoa(priorities[m.Severity])
	if link != "" && len(link) <= 512 {
		form["url"], form["url_title"] = link, "Open the ticket"
	}
	return preset.Form(preset.Join(s.APIURL, "/1/messages.json"), form), nil
}

// blame: a wrong key is answered 400 like all else, with the field marked.
func blame(status int, body []byte) string {
	switch {
	case status != http.StatusBadRequest:
		return ""
	case preset.Says(body, "token", "invalid"):
		return "the application is not known; check secrets.token"
	case preset.Says(body, "user", "invalid"):
		return "the person or group is not known, or has no active device; check secrets.user"
	default:
		return ""
	}
}
