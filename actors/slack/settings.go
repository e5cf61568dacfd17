package slack

import (
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Settings are those of a Slack actor.
type Settings struct {
	BotToken dispatch.Secret `json:"botToken" title:"Bot token" doc:"Give the Bot User OAuth Token of your Slack app, which begins with xoxb-" required:"true" secret:"true" max:"500"`
	APIURL   string          `json:"apiUrl" title:"API address" doc:"Give the address of the Web API; only a proxy or a test needs another" required:"true" format:"uri" max:"500"`
}

// ConfigSettings are those of a Slack API config.
type ConfigSettings struct {
	Channel   string                   `json:"channel" title:"Channel" doc:"Give a channel such as #alerts, or the id of a channel or a person" required:"true" max:"100"`
	Text      string                   `json:"text" title:"Text" doc:"Give the message; Slack's formatting in angle brackets is shown as text" required:"true" template:"true"`
	Uncertain dispatch.UncertainPolicy `json:"onUncertain" title:"When the answer is lost" doc:"Give RESEND (a message may come twice) or PARK (it fails, and a person decides)" required:"true" enum:"RESEND,PARK"`
}

// OnUncertain is the user's choice.
func (s *ConfigSettings) OnUncertain() dispatch.UncertainPolicy { return s.Uncertain }

// check is what the tags cannot say.
func (s *Settings) check() error {
	token := string(s.BotToken)
	if !strings.HasPrefix(token, "xoxb-") || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.botToken",
			"is not a bot token; copy the Bot User OAuth Token, which begins with xoxb-, from the app's page OAuth & Permissions")
	}
	_, err := call.Address("settings.apiUrl", s.APIURL)
	return err
}
