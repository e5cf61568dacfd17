package peplink

import (
	"regexp"
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Settings are those of a Peplink actor.
type Settings struct {
	URL          string          `json:"url" title:"InControl address" doc:"Give the address of the InControl 2 API; an appliance has its own" required:"true" format:"uri" max:"500" address:"true"`
	Organization string          `json:"organization" title:"Organization" doc:"Give the id of the organization, as it stands in InControl's address after /o/" required:"true" max:"100"`
	ClientID     string          `json:"clientId" title:"Client id" doc:"Give the id of the client application; with it goes the client secret" max:"500"`
	AllowBlock   bool            `json:"allowBlock" title:"Allow block" doc:"Let API configs of this actor put clients on a MAC access list and take them off; experimental"`
	AllowReboot  bool            `json:"allowReboot" title:"Allow reboot" doc:"Let API configs of this actor reboot a device, which cuts its site off meanwhile"`
	ClientSecret dispatch.Secret `json:"clientSecret" title:"Client secret" doc:"Give the secret of the client application" secret:"true" max:"5000"`
	Token        dispatch.Secret `json:"token" title:"API token" doc:"Give an API token of InControl in place of client id and client secret" secret:"true" max:"5000"`
}

// Operation is what an API config does.
type Operation string

// The operations.
const (
	opEnrich Operation = "enrich"
	opBlock  Operation = "block"
	opReboot Operation = "reboot"
)

// ConfigSettings are those of a Peplink API config.
type ConfigSettings struct {
	Operation  Operation `json:"operation" title:"Operation" doc:"What to do: enrich puts the client, its device and event log lines on the ticket, block puts the client on a MAC access list until the ticket is closed, reboot restarts one device" required:"true" enum:"enrich,block,reboot"`
	Client     string    `json:"client" title:"Client" doc:"Where the alert names the client by MAC address, IP address or name, such as {{.Alert.Key}}" template:"true" max:"500"`
	Group      string    `json:"group" title:"Group" doc:"Give the id or the name of the group to look in; empty looks in all when there are at most 20, and block needs one" template:"true" max:"500"`
	Device     string    `json:"device" title:"Device" doc:"Where the alert names the device by id, serial number or name; empty looks at all that are online, and reboot needs one" template:"true" max:"500"`
	ACLID      string    `json:"aclId" title:"Access list id" doc:"Give the id of the MAC access list that block writes to; make it in InControl and set it as deny list of the SSIDs" max:"20"`
	EventLines int       `json:"eventLines" title:"Event log lines" doc:"How many of the newest event log lines that speak of the client or the device enrich puts on the ticket" min:"1" max:"50"`
}

// OnUncertain is for a reboot never to repeat it; the other operations do no harm twice.
func (c *ConfigSettings) OnUncertain() dispatch.UncertainPolicy {
	if c.Operation == opReboot {
		return dispatch.Park
	}
	return dispatch.Resend
}

// trimmed are the settings without the spaces around what an alert gave.
func (c *ConfigSettings) trimmed() *ConfigSettings {
	out := *c
	for _, field := range []*string{&out.Client, &out.Group, &out.Device, &out.ACLID} {
		*field = strings.TrimSpace(*field)
	}
	return &out
}

var (
	organizationForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	numberForm       = regexp.MustCompile(`^[0-9]{1,19}$`)
)

// check is what the tags cannot say.
func (s *Settings) check() error {
	u, err := call.Address("settings.url", s.URL)
	if err != nil {
		return err
	}
	hasPair := s.ClientID != "" && s.ClientSecret != ""
	switch {
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.url", "has a path; give the host alone, such as "+cloud)
	case !organizationForm.MatchString(s.Organization):
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.organization", "is no id of an organization; it is the text after /o/ in InControl's address")
	case s.Token != "" && (s.ClientID != "" || s.ClientSecret != ""):
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.token", "stands beside a client id or client secret; give one or the other")
	case s.Token == "" && !hasPair && s.ClientSecret != "":
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.clientId", "is missing; it goes with the client secret")
	case s.Token == "" && !hasPair:
		return dispatch.Refuse(dispatch.CodeRequired, "secrets.clientSecret", "is missing; give client id and client secret, or an API token")
	case strings.ContainsFunc(string(s.Token), func(r rune) bool { return r <= ' ' || r > '~' }):
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.token", "holds a space or a line break; copy the token again, without the word Bearer")
	}
	return nil
}
