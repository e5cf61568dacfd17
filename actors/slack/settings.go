package slack

import (
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Settings are those of a Slack actor.
type Settings struct {
	BotToken      dispatch.Secret `json:"botToken" title:"Bot token" doc:"Give the Bot User OAuth Token of your Slack app, which begins with xoxb-" required:"true" secret:"true" max:"500"`
	SigningSecret dispatch.Secret `json:"signingSecret" title:"Signing secret" doc:"For buttons by web request: give the Signing Secret from the app's Basic Information" secret:"true" max:"500"`
	AppToken      dispatch.Secret `json:"appToken" title:"App-level token" doc:"For buttons by Socket Mode, which needs no public address: give a token with connections:write, which begins with xapp-" secret:"true" max:"500"`
	APIURL        string          `json:"apiUrl" title:"API address" doc:"Give the address of the Web API; only a proxy or a test needs another" required:"true" format:"uri" max:"500"`
}

// ConfigSettings are those of a Slack API config.
type ConfigSettings struct {
	Channel   string                   `json:"channel" title:"Channel" doc:"Give a channel such as #alerts, or the id of a channel or a person" required:"true" max:"100"`
	Text      string                   `json:"text" title:"Text" doc:"Give the message; Slack's formatting in angle brackets is shown as text" required:"true" template:"true"`
	Uncertain dispatch.UncertainPolicy `json:"onUncertain" title:"When the answer is lost" doc:"What to do when the channel's history cannot be read: give RESEND (a message may come twice) or PARK (it fails, and a person decides)" required:"true" enum:"RESEND,PARK"`
}

// OnUncertain is the user's choice.
func (s *ConfigSettings) OnUncertain() dispatch.UncertainPolicy { return s.Uncertain }

// channel is where the messages go.
func (s *ConfigSettings) channel() string { return strings.TrimSpace(s.Channel) }

// check is what the tags cannot say.
func (s *Settings) check() error {
	if !strings.HasPrefix(string(s.BotToken), "xoxb-") || !isWord(s.BotToken) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.botToken",
			"is not a bot token; copy the Bot User OAuth Token, which begins with xoxb-, from the app's page OAuth & Permissions")
	}
	if !isWord(s.SigningSecret) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.signingSecret",
			"is not a signing secret; copy it from the app's page Basic Information, without spaces")
	}
	if s.AppToken != "" && !strings.HasPrefix(string(s.AppToken), "xapp-") || !isWord(s.AppToken) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.appToken",
			"is not an app-level token; make one with the scope connections:write, which begins with xapp-, on the app's page Basic Information")
	}
	_, err := call.Address("settings.apiUrl", s.APIURL)
	return err
}

// hears tells whether a click on a button can come in.
func (s *Settings) hears() bool { return s.SigningSecret != "" || s.AppToken != "" }

// isWord tells whether a secret is printable and without a space.
func isWord(secret dispatch.Secret) bool {
	return !strings.ContainsFunc(string(secret), func(r rune) bool { return r <= ' ' || r > '~' })
}
