package jira

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Limits of texts, in characters as Java counts them. That the limit of a description holds for the document as it is sent
// is assumed: it is the stricter reading.
const (
	summaryMost = 255
	textMost    = 32_767
	labelMost   = 255
)

// Issue is one as it stands.
type Issue struct {
	ID, Key, Type, Summary, Priority string
	Description                      json.RawMessage
	Labels                           []string
	Status                           Status
	Resolution                       string
	Comments                         []Comment
	Properties                       map[string]json.RawMessage
	Fields                           map[string]json.RawMessage // all that was given when it was made

	project Project
	changed time.Time
	sought  *seen // as a search still knows it
}

// seen is how an issue was before its last change.
type seen struct {
	status  Status
	changed time.Time
}

// Comment is one of an issue.
type Comment struct {
	ID, Author string
	Body       json.RawMessage
}

// Issues returns all issues in the order of their making, as they stand now.
func (s *Site) Issues() []Issue {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Issue
	for _, i := range s.issues {
		one := *i
		one.Labels, one.Comments = slices.Clone(i.Labels), slices.Clone(i.Comments)
		one.Properties, one.Fields = maps.Clone(i.Properties), maps.Clone(i.Fields)
		all = append(all, one)
	}
	return all
}

// issue finds one by its id or key.
func (s *Site) issue(id string) *Issue {
	for _, i := range s.issues {
		if i.ID == id || strings.EqualFold(i.Key, id) {
			return i
		}
	}
	return nil
}

type wish struct {
	Fields     map[string]json.RawMessage `json:"fields"`
	Properties []struct {
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"`
	} `json:"properties"`
}

func (w wish) text(field, name string) string {
	var text string
	if name == "" {
		_ = json.Unmarshal(w.Fields[field], &text) // another type is as good as none
		return text
	}
	var thing map[string]any
	_ = json.Unmarshal(w.Fields[field], &thing)
	text, _ = thing[name].(string)
	return text
}

func (s *Site) createIssue(w http.ResponseWriter, r *http.Request) {
	var in wish
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "There was an error parsing JSON. Check that your request body is valid.", nil)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.o.Projects, func(p Project) bool { return p.Key == in.text("project", "key") })
	if at < 0 {
		refuse(w, http.StatusBadRequest, "", map[string]string{"project": "valid project is required"})
		return
	}
	if faults := s.o.Projects[at].faults(in); len(faults) > 0 {
		refuse(w, http.StatusBadRequest, "", faults)
		return
	}
	i := s.made(s.o.Projects[at], in)
	reply(w, http.StatusCreated, object{"id": i.ID, "key": i.Key, "self": s.URL() + "/rest/api/3/issue/" + i.ID})
}

func (s *Site) made(p Project, in wish) *Issue {
	s.serial++
	n := 1
	for _, other := range s.issues {
		if other.project.Key == p.Key {
			n++
		}
	}
	i := &Issue{
		ID: strconv.Itoa(s.serial), Key: fmt.Sprintf("%s-%d", p.Key, n), Type: in.text("issuetype", "name"), Summary: in.text("summary", ""),
		Priority: in.text("priority", "name"), Description: in.Fields["description"], Status: p.Statuses[0], Fields: in.Fields,
		Properties: map[string]json.RawMessage{}, project: p, changed: s.o.Now(),
	}
	_ = json.Unmarshal(in.Fields["labels"], &i.Labels) // checked before
	for _, property := range in.Properties {
		i.Properties[property.Key] = property.Value
	}
	s.issues = append(s.issues, i)
	s.tell("jira:issue_created", i, s.o.People[0], nil)
	return i
}

// faults are what is wrong with the fields, in Jira's words where they are known.
func (p Project) faults(in wish) map[string]string {
	faults := map[string]string{}
	summary := in.text("summary", "")
	switch {
	case strings.TrimSpace(summary) == "":
		faults["summary"] = "You must specify a summary of the issue."
	case strings.ContainsAny(summary, "\r\n"):
		faults["summary"] = "The summary is invalid because it contains newline characters."
	case length(summary) > summaryMost:
		faults["summary"] = "Summary must be less than 255 characters."
	}
	if !slices.Contains(p.types(), in.text("issuetype", "name")) {
		faults["issuetype"] = "Specify a valid issue type"
	}
	if _, given := in.Fields["priority"]; given {
		switch {
		case p.NoPriority:
			faults["priority"] = "Field 'priority' cannot be set. It is not on the appropriate screen, or unknown."
		case !slices.Contains(p.priorities(), in.text("priority", "name")):
			faults["priority"] = "The priority selected is invalid."
		}
	}
	if fault := badDocument(in.Fields["description"]); fault != "" {
		faults["description"] = fault
	}
	for _, name := range p.Required {
		if in.Fields[name] == nil {
			faults[name] = name + " is required."
		}
	}
	return in.unknown(p, faults)
}

// unknown adds fields that the site does not have, and labels that are none.
func (w wish) unknown(p Project, faults map[string]string) map[string]string {
	known := []string{"project", "issuetype", "summary", "description", "labels", "priority", "components", "duedate"}
	for name := range w.Fields {
		if !slices.Contains(known, name) && !slices.Contains(p.Required, name) {
			faults[name] = "Field '" + name + "' cannot be set. It is not on the appropriate screen, or unknown."
		}
	}
	var labels []string
	if raw := w.Fields["labels"]; raw != nil && json.Unmarshal(raw, &labels) != nil {
		faults["labels"] = "data was not an array"
	}
	for _, label := range labels {
		if strings.ContainsAny(label, " \t\n") || label == "" {
			faults["labels"] = "The label '" + label + "' contains spaces which is invalid."
		} else if length(label) > labelMost {
			faults["labels"] = "The label is too long."
		}
	}
	return faults
}

// badDocument says what is wrong with a text of Atlassian's document format.
func badDocument(raw json.RawMessage) string {
	if raw == nil {
		return ""
	}
	var doc struct {
		Type    string
		Version int
		Content []json.RawMessage
	}
	if json.Unmarshal(raw, &doc) != nil || doc.Type != "doc" || doc.Version != 1 {
		return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
	}
	if length(string(raw)) > textMost {
		return "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
	}
	if strings.Contains(string(raw), `"text":""`) || strings.Contains(string(raw), `\u0000`) {
		return "INVALID_INPUT"
	}
	return ""
}

func length(text string) int { return len(utf16.Encode([]rune(text))) }
