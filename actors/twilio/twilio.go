// Package twilio sends alerts as text messages through Twilio. It takes no
// answers and no status callbacks: accepted by Twilio is delivered here.
//
// Limits and errors are those of twilio.com/docs as of 2026: Messages resource,
// error codes.
package twilio

import (
	"net/http"
	"regexp"
	"strings"

	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Twilio actor.
type Settings struct {
	AccountSID string          `json:"accountSid" title:"Account SID" doc:"Give the account's SID, which begins with AC" required:"true" max:"34"`
	AuthToken  dispatch.Secret `json:"authToken" title:"Auth token" doc:"Give the account's auth token" required:"true" secret:"true" max:"100"`
	From       string          `json:"from" title:"From" doc:"Give a number of yours such as +15017122661, a sender's name, or a messaging service that begins with MG" required:"true" max:"40"`
	APIURL     string          `json:"apiUrl" title:"API address" doc:"Give the address of the API; only another region or a test needs another" required:"true" format:"uri" max:"500"`
}

// ConfigSettings are those of a Twilio API config.
type ConfigSettings struct {
	To   string `json:"to" title:"To" doc:"Give the number that is told, such as +15558675310" required:"true" max:"20"`
	Text string `json:"text" title:"Text" doc:"Give the message; what does not fit a few text messages is cut" required:"true" template:"true"`
}

// Kind is Twilio on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "twilio", Title: "Twilio SMS", DefaultName: "Twilio-Default",
		Description:    "Sends the alert as a text message through Twilio.",
		SetupHelp:      "Give the account's SID and auth token from the Twilio console, and a number, a sender's name or a messaging service to send from. Every message costs money; think of who raises alerts how often.",
		Settings:       &Settings{APIURL: "https://api.twilio.com"},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Severity}}: {{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    check,
		Secrets:  func(s *Settings) []string { return []string{string(s.AuthToken)} },
		Request:  send,
		Remedies: map[int]string{401: remedy, 403: "the account is suspended, or may not do this; look at the Twilio console"},
		Test: func(s *Settings) (preset.Request, error) {
			return preset.Request{
				Method: http.MethodGet, URL: s.account(".json"), User: s.AccountSID, Password: string(s.AuthToken),
			}, nil
		},
	})
}

const remedy = "check settings.accountSid and secrets.authToken"

var accountSID = regexp.MustCompile(`^AC[0-9a-f]{32}$`)

func check(s *Settings) error {
	if !accountSID.MatchString(s.AccountSID) {
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.accountSid", "is not AC and 32 hexadecimal digits; copy it from the Twilio console")
	}
	if err := preset.CheckWord("authToken", s.AuthToken); err != nil {
		return err
	}
	return preset.CheckURL("settings.apiUrl", s.APIURL)
}

func (s *Settings) account(path string) string {
	return preset.Join(s.APIURL, "/2010-04-01/Accounts/"+s.AccountSID+path)
}

// maxBody is how long a message may be, in characters.
const maxBody = 1600

// text is what is sent, without facts: some parts of a message, each of which costs.
var text = preset.Style{Limit: 480}

func send(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	m := preset.Of(c.Text, p)
	m.Facts = nil
	form := map[string]string{"To": c.To, "From": s.From, "Body": m.Write(text)}
	if strings.HasPrefix(s.From, "MG") {
		form["From"], form["MessagingServiceSid"] = "", s.From
	}
	r := preset.Form(s.account("/Messages.json"), form)
	r.User, r.Password = s.AccountSID, string(s.AuthToken)
	return r, nil
}
