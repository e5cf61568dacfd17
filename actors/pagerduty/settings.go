package pagerduty

import (
	"regexp"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Settings are those of a PagerDuty actor.
type Settings struct {
	IntegrationKey dispatch.Secret `json:"integrationKey" title:"Integration key" doc:"Give the 32 characters of an Events API v2 integration" required:"true" secret:"true"`
	Token          dispatch.Secret `json:"token" title:"REST API token" doc:"Only to test the connection; alerts go out without it" secret:"true" max:"500"`
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
	if _, err := call.Address("settings.eventsUrl", s.EventsURL); err != nil {
		return err
	}
	_, err := call.Address("settings.apiUrl", s.APIURL)
	return err
}
