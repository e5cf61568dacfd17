package servicenow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Settings are those of a ServiceNow actor.
type Settings struct {
	URL           string          `json:"url" title:"Instance address" doc:"Give the address of the instance, such as https://example.service-now.com" required:"true" format:"uri" max:"500" address:"true"`
	Username      string          `json:"username" title:"User name" doc:"The user that this server works as; what it did is told apart from what people did by this name" max:"100"`
	ClientID      string          `json:"clientId" title:"OAuth client id" doc:"Of an OAuth API endpoint for external clients; empty uses user name and password with each request" max:"200"`
	PollTable     string          `json:"pollTable" title:"Table to ask" doc:"Where this server looks each minute for what changed; give task when API configs use more than one table" required:"true" max:"80"`
	Password      dispatch.Secret `json:"password" title:"Password" doc:"Of the user; with an OAuth client and no password, the client's own credentials are used" secret:"true" max:"500"`
	ClientSecret  dispatch.Secret `json:"clientSecret" title:"OAuth client secret" doc:"Of the OAuth client" secret:"true" max:"500"`
	WebhookSecret dispatch.Secret `json:"webhookSecret" title:"Webhook secret" doc:"whsec_ and 24 to 64 bytes in base64, with which a business rule signs what it sends to the inbound address; without it nothing is taken in" secret:"true" max:"200"`
}

// ConfigSettings are those of a ServiceNow API config.
type ConfigSettings struct {
	Table            string            `json:"table" title:"Table" doc:"Give the table that records are made in: incident, sn_si_incident, or another that extends task" required:"true" max:"80"`
	ShortDescription string            `json:"shortDescription" title:"Short description" doc:"Give the title of the record" required:"true" template:"true"`
	Description      string            `json:"description" title:"Description" doc:"The text of the record" template:"true"`
	AssignmentGroup  string            `json:"assignmentGroup" title:"Assignment group" doc:"The name or sys_id of the group that the record is given to" max:"200"`
	Category         string            `json:"category" title:"Category" doc:"The value of the category, such as network" max:"100"`
	Urgency          map[string]string `json:"urgency" title:"Urgency by severity" doc:"1 is high, 3 is low" max:"5"`
	Impact           map[string]string `json:"impact" title:"Impact by severity" doc:"1 is high, 3 is low; ServiceNow makes the priority of urgency and impact" max:"5"`
	CloseState       string            `json:"closeState" title:"State of a close" doc:"The number of the state that a closed ticket gives the record: 6 is Resolved and 7 Closed of an incident; empty takes that of the table: 6 for incident, 3 for others" max:"10"`
	CloseCode        string            `json:"closeCode" title:"Resolution code" doc:"What a close gives as its code; most instances ask for one that their list has" max:"100"`
	CloseNotes       string            `json:"closeNotes" title:"Resolution notes" doc:"What a close gives as its notes; most instances ask for some" template:"true"`
	Updates          bool              `json:"updates" title:"Keep the status the same" doc:"Carry the ticket's status to the record and the record's to the ticket from then on"`
	WorkNotes        bool              `json:"workNotes" title:"Work notes" doc:"Write further alerts and changes of the status into the record's work notes"`
	Fields           map[string]string `json:"fields" title:"Further columns" doc:"Values of other columns by their names, such as caller_id or u_source" max:"50"`
}

var (
	sysIDForm  = regexp.MustCompile(`^[0-9a-f]{32}$`)
	columnForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,79}$`) // of a table, too
	stateForm  = regexp.MustCompile(`^-?[0-9]{1,9}$`)
)

// check is what the tags cannot say.
func (s *Settings) check() error {
	u, err := call.Address("settings.url", s.URL)
	switch {
	case err != nil:
		return err
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return refuse("settings.url", "has a path; give the instance's address alone, such as https://example.service-now.com")
	case !columnForm.MatchString(s.PollTable):
		return refuse("settings.pollTable", "is not the name of a table; give one such as incident or task")
	case !isPlain(s.Username):
		return refuse("settings.username", "holds ^, a comma or a line break, which a query cannot name; give the user id of the user")
	default:
		return s.checkLogin()
	}
}

// checkLogin wants a user with his password, or a client with its secret, or all.
func (s *Settings) checkLogin() error {
	switch {
	case s.Password != "" && s.Username == "":
		return refuse("settings.username", "is missing beside the password; give the user id of the user")
	case s.ClientID == "" && s.ClientSecret != "":
		return refuse("settings.clientId", "is missing beside the client secret; give the client id, or take the secret out")
	case s.ClientID == "" && s.Password == "":
		return refuse("secrets.password", "is missing; give the user's password, or an OAuth client with clientId and clientSecret")
	case s.ClientID != "" && s.ClientSecret == "":
		return refuse("secrets.clientSecret", "is missing beside the client id; give the secret of the OAuth client")
	default:
		return nil
	}
}

func refuse(field, problem string) error {
	return dispatch.Refuse(dispatch.CodeInvalid, field, problem)
}

// isPlain tells whether a query can hold a value: ^ would begin another condition,
// and a comma another value of a list.
func isPlain(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r == '^' || r == ',' || r < ' ' })
}

// check says what cannot be sent as it is; nil when all can.
func (c *ConfigSettings) check() error {
	if !columnForm.MatchString(c.Table) {
		return fmt.Errorf("settings.table is %q, which is not the name of a table; give one such as incident", dispatch.Cut(c.Table, 100))
	}
	if c.CloseState != "" && !stateForm.MatchString(c.CloseState) {
		return fmt.Errorf("settings.closeState is %q, which is not the number of a state; give one such as 6", dispatch.Cut(c.CloseState, 100))
	}
	for field, table := range map[string]map[string]string{"urgency": c.Urgency, "impact": c.Impact} {
		for severity := range table {
			if !slices.Contains(dispatch.Severities, dispatch.Severity(severity)) {
				return fmt.Errorf("settings.%s names the severity %q, which is none; there are INFO, LOW, MEDIUM, HIGH and CRITICAL", field, dispatch.Cut(severity, 100))
			}
		}
	}
	for name := range c.Fields {
		if !columnForm.MatchString(name) || isOurs(name) {
			return fmt.Errorf("settings.fields names %q, which is no column or one that this server or ServiceNow sets itself; take it out", dispatch.Cut(name, 100))
		}
	}
	return nil
}

// isOurs tells whether a column is set by this server, or by ServiceNow alone.
func isOurs(column string) bool {
	return strings.HasPrefix(column, "sys_") || slices.Contains([]string{
		columnState, "incident_state", columnCorrelation, columnDisplay, columnNotes, "number", "short_description", "description",
	}, column)
}
