package jira

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"regexp"
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Settings are those of a Jira actor.
type Settings struct {
	URL           string          `json:"url" title:"Address" doc:"Give the address of the site, such as https://example.atlassian.net" required:"true" format:"uri" max:"500"`
	SiteURL       string          `json:"siteUrl" title:"Site" doc:"The address where people read issues, if that is another" max:"500"`
	Email         string          `json:"email" title:"Email" doc:"The account that the API token is of; empty for a bearer token" format:"email" max:"320"`
	APIToken      dispatch.Secret `json:"apiToken" title:"API token" doc:"Give an API token of the account, or a bearer token" required:"true" secret:"true" max:"5000"`
	WebhookSecret dispatch.Secret `json:"webhookSecret" title:"Webhook secret" doc:"The secret of the webhook in Jira; several with spaces or commas between them" secret:"true" max:"5000"`
}

// ConfigSettings are those of a Jira API config.
type ConfigSettings struct {
	Project     string            `json:"project" title:"Project" doc:"Give the key of the project, such as SEC" required:"true" max:"50"`
	IssueType   string            `json:"issueType" title:"Issue type" doc:"Give the name of a type that the project has" required:"true" max:"100"`
	Summary     string            `json:"summary" title:"Summary" doc:"Give one line that says what happened" required:"true" template:"true"`
	Description string            `json:"description" title:"Description" doc:"The text above the facts of the alert" template:"true"`
	Labels      []string          `json:"labels" title:"Labels" doc:"Further labels of the issue, without spaces" max:"50"`
	Priorities  map[string]string `json:"priorities" title:"Priorities" doc:"The name of Jira's priority for a severity, such as CRITICAL: Highest; none is set for those left out" max:"5"`
	Fields      map[string]string `json:"fields" title:"Further fields" doc:"What the project asks for beside these, by the id of the field: a text, or JSON as Jira's API takes it" max:"50"`
	Transitions map[string]string `json:"transitions" title:"Transitions" doc:"The name or id of the transition for OPEN, ACKNOWLEDGED or CLOSED; left out, the first that leads to the category" max:"3"`
	Resolution  string            `json:"resolution" title:"Resolution" doc:"The name of the resolution of a close, where the workflow asks for one" max:"100"`
	Comments    bool              `json:"comments" title:"Comment" doc:"Write a comment when a further alert joins the ticket"`
}

var (
	tokenForm   = regexp.MustCompile(`^[!-~]*$`)
	projectForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	// idForm is that of the ids of issues, which stand in paths.
	idForm = regexp.MustCompile(`^[0-9]{1,18}$`)
)

// check is what the tags cannot say.
func (s *Settings) check() error {
	if _, err := call.Address("settings.url", s.URL); err != nil {
		return err
	}
	if s.SiteURL != "" {
		if _, err := call.Address("settings.siteUrl", s.SiteURL); err != nil {
			return err
		}
	}
	if at, err := mail.ParseAddress(s.Email); s.Email != "" && (err != nil || at.Address != s.Email) {
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.email", "is not an email address; give that of the account that the API token is of")
	}
	if !tokenForm.MatchString(string(s.APIToken)) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.apiToken", "holds spaces or line breaks; copy it again")
	}
	for _, secret := range s.webhookSecrets() {
		if !tokenForm.MatchString(secret) {
			return dispatch.Refuse(dispatch.CodeInvalid, "secrets.webhookSecret", "holds characters that are not ASCII; generate another in Jira")
		}
	}
	return nil
}

// webhookSecrets are those that a webhook may be signed with; none is empty.
func (s *Settings) webhookSecrets() []string {
	return strings.FieldsFunc(string(s.WebhookSecret), func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
}

// mask hides all secrets of the actor, and more.
func (s *Settings) mask(more ...string) call.Mask {
	return call.Hide(append(append(s.webhookSecrets(), string(s.APIToken)), more...)...)
}

// check says what an issue could not be made or moved with.
func (c *ConfigSettings) check() error {
	if !projectForm.MatchString(c.Project) {
		return fmt.Errorf("settings.project %q is not the key of a project; give one such as SEC", dispatch.Cut(c.Project, 100))
	}
	for _, label := range c.Labels {
		if label == "" || len(label) > 255 || strings.ContainsFunc(label, func(r rune) bool { return r <= ' ' }) {
			return fmt.Errorf("settings.labels holds %q; a label has no spaces and at most 255 characters", dispatch.Cut(label, 100))
		}
	}
	for status := range c.Transitions {
		if _, ok := categoryNames[dispatch.TicketStatus(status)]; !ok {
			return fmt.Errorf("settings.transitions names %q, which is no status of a ticket; give OPEN, ACKNOWLEDGED or CLOSED", dispatch.Cut(status, 100))
		}
	}
	for name := range c.Fields {
		if taken[name] {
			return fmt.Errorf("settings.fields names %s, which has a setting of its own", name)
		}
	}
	return nil
}

var taken = map[string]bool{"project": true, "issuetype": true, "summary": true, "description": true, "labels": true, "priority": true}

// value is a further field: JSON where it is an object or a list, else a text.
func value(text string) any {
	trimmed := strings.TrimSpace(text)
	if (strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")) && json.Valid([]byte(trimmed)) {
		return json.RawMessage(trimmed)
	}
	return text
}
