package pagerduty

import (
	"net/mail"
	"regexp"
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Settings are those of a PagerDuty actor.
type Settings struct {
	IntegrationKey dispatch.Secret `json:"integrationKey" title:"Integration key" doc:"Give the 32 characters of an Events API v2 integration" required:"true" secret:"true"`
	WebhookSecret  dispatch.Secret `json:"webhookSecret" title:"Webhook secret" doc:"The secret that the webhook subscription showed when it was made; several with spaces between them" secret:"true" max:"5000"`
	Token          dispatch.Secret `json:"token" title:"REST API token" doc:"To test the connection, to ask how incidents stand, to make the webhook and to take an acknowledgement back; alerts go out without it" secret:"true" max:"500"`
	From           string          `json:"from" title:"Email of a user" doc:"The PagerDuty user in whose name the token takes an acknowledgement back" format:"email" max:"320"`
	ServiceID      string          `json:"serviceId" title:"Service id" doc:"The service whose webhooks are asked for when the webhook is made by the token; the whole account when it is empty" max:"50"`
	EventsURL      string          `json:"eventsUrl" title:"Events API address" doc:"Give the Events API address; in the EU https://events.eu.pagerduty.com" required:"true" format:"uri" max:"500"`
	APIURL         string          `json:"apiUrl" title:"REST API address" doc:"Give the REST API address; in the EU https://api.eu.pagerduty.com" required:"true" format:"uri" max:"500"`
}

// ConfigSettings are those of a PagerDuty API config.
type ConfigSettings struct {
	Summary   string `json:"summary" title:"Summary" doc:"Give one line that says what happened" required:"true" template:"true"`
	Source    string `json:"source" title:"Source" doc:"Give the system that is affected or says so" required:"true" template:"true"`
	Component string `json:"component" title:"Component" doc:"The part of the source that is responsible" template:"true"`
	Group     string `json:"group" title:"Group" doc:"What the source belongs to, such as a cluster" template:"true"`
	Class     string `json:"class" title:"Class" doc:"The class of the event, for PagerDuty's rules" template:"true"`
}

var (
	keyForm   = regexp.MustCompile(`^[A-Za-z0-9]{32}$`) // developer.pagerduty.com, Events API v2: routing_key
	tokenForm = regexp.MustCompile(`^[!-~]*$`)
	// idForm is that of PagerDuty's ids. The library puts them into a path as they
	// are, so nothing else may get there.
	idForm = regexp.MustCompile(`^[A-Z0-9]{1,50}$`)
)

// check is what the tags cannot say.
func (s *Settings) check() error {
	if !keyForm.MatchString(string(s.IntegrationKey)) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.integrationKey",
			"is not 32 letters and digits; copy it from the service's page Integrations, Events API V2")
	}
	if !tokenForm.MatchString(string(s.Token)) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.token", "holds spaces or line breaks; copy it again")
	}
	for _, secret := range s.webhookSecrets() {
		if !tokenForm.MatchString(secret) {
			return dispatch.Refuse(dispatch.CodeInvalid, "secrets.webhookSecret", "holds characters that no secret of PagerDuty has; copy it again")
		}
	}
	if at, err := mail.ParseAddress(s.From); s.From != "" && (err != nil || at.Address != s.From) {
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.from", "is not an email address; give that of a user of the PagerDuty account")
	}
	if s.ServiceID != "" && !idForm.MatchString(s.ServiceID) {
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.serviceId", "is not an id of PagerDuty; take the last part of the service's address, such as PABC123")
	}
	if _, err := call.Address("settings.eventsUrl", s.EventsURL); err != nil {
		return err
	}
	_, err := call.Address("settings.apiUrl", s.APIURL)
	return err
}

// webhookSecrets are those that a webhook may be signed with: while one
// subscription replaces another there are two.
func (s *Settings) webhookSecrets() []string { return strings.Fields(string(s.WebhookSecret)) }

// mask hides all secrets of the actor.
func (s *Settings) mask() call.Mask {
	return call.Hide(append(s.webhookSecrets(), string(s.IntegrationKey), string(s.Token))...)
}
