// Package matrix sends alerts to a room of Matrix that is not encrypted. It
// reads no rooms and changes no messages.
//
// Requests and errors are those of spec.matrix.org as of 2026, client-server API:
// sending events, m.room.message, user and room mentions, size limits, rate limiting.
package matrix

import (
	"net/http"
	"net/url"
	"time"

	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Matrix actor.
type Settings struct {
	Homeserver string          `json:"homeserver" title:"Homeserver" doc:"Give the address of the homeserver, such as https://matrix.example.com" required:"true" format:"uri" max:"500"`
	Token      dispatch.Secret `json:"token" title:"Access token" doc:"Give the access token of the account that writes" required:"true" secret:"true" max:"2000"`
}

// ConfigSettings are those of a Matrix API config.
type ConfigSettings struct {
	Room string `json:"room" title:"Room" doc:"Give the room's id, such as !abcdefg:example.com, not its alias" required:"true" max:"255"`
	Text string `json:"text" title:"Text" doc:"Give the message; HTML and mentions are shown as text" required:"true" template:"true"`
}

// Kind is Matrix on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "matrix", Title: "Matrix", DefaultName: "Matrix-Default",
		Description:    "Sends the alert to a room of Matrix that is not encrypted.",
		SetupHelp:      "Make an account for Tocsin on the homeserver, let it join the room, and give its access token here and the room's id to the API config.",
		Settings:       &Settings{},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
		Idempotent:     true, // a repeat with the same transaction id makes no second event
	}, preset.Service[Settings, ConfigSettings]{
		Check:    check,
		Secrets:  func(s *Settings) []string { return []string{string(s.Token)} },
		Request:  send,
		Remedies: map[int]string{401: "the access token is not valid any more; log in again and give secrets.token"},
		Wait: func(body []byte) time.Duration {
			return preset.Seconds(preset.Number(body, "retry_after_ms") / 1000)
		},
		Test: func(s *Settings) (preset.Request, error) {
			r := preset.Request{Method: http.MethodGet, URL: preset.Join(s.Homeserver, api+"account/whoami")}
			return r.With("Authorization", "Bearer "+string(s.Token)), nil
		},
	})
}

const api = "/_matrix/client/v3/"

func check(s *Settings) error {
	if err := preset.CheckWord("token", s.Token); err != nil {
		return err
	}
	return preset.CheckURL("settings.homeserver", s.Homeserver)
}

// maxEvent is how long an event may be, in bytes, with what the server adds; both
// texts fit it whatever characters are used.
const maxEvent = 65_536

var (
	plain = preset.Style{Limit: 3000}
	html  = preset.Style{
		Limit: 4000, Break: "<br>",
		Link:   func(name, url string) string { return `<a href="` + url + `">` + name + `</a>` },
		Escape: map[rune]string{'<': "&lt;", '>': "&gt;", '&': "&amp;", '"': "&quot;"},
	}
)

type message struct {
	Type     string   `json:"msgtype"`
	Body     string   `json:"body"`
	Format   string   `json:"format"`
	HTML     string   `json:"formatted_body"`
	Mentions struct{} `json:"m.mentions"` // empty: nobody is mentioned, whatever the text says
}

// send names the event by the delivery, so that a repeat makes no second one.
func send(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	m := preset.Of(c.Text, p)
	address := preset.Join(s.Homeserver, api+"rooms/"+url.PathEscape(c.Room)+"/send/m.room.message/"+url.PathEscape(p.DeliveryID))
	r, err := preset.JSON(address, message{
		Type: "m.text", Body: m.Write(plain), Format: "org.matrix.custom.html", HTML: m.Write(html),
	})
	r.Method = http.MethodPut
	return r.With("Authorization", "Bearer "+string(s.Token)), err
}
