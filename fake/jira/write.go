package jira

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (s *Site) listTransitions(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(i *Issue) {
		all := []object{}
		for _, t := range i.project.ways(i.Status.Name) {
			all = append(all, t.shown(i.project, strings.Contains(r.URL.Query().Get("expand"), "transitions.fields")))
		}
		reply(w, http.StatusOK, object{"expand": "transitions", "transitions": all})
	})
}

func (s *Site) doTransition(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Transition struct {
			ID string `json:"id"`
		} `json:"transition"`
		Fields map[string]struct {
			Name string `json:"name"`
		} `json:"fields"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		refuse(w, http.StatusBadRequest, "There was an error parsing JSON. Check that your request body is valid.", nil)
		return
	}
	s.with(w, r, func(i *Issue) {
		ways := i.project.ways(i.Status.Name)
		at := slices.IndexFunc(ways, func(t Transition) bool { return t.ID == in.Transition.ID })
		if at < 0 {
			refuse(w, http.StatusBadRequest, "Transition id '"+in.Transition.ID+"' is not valid for this issue.", nil)
			return
		}
		given := in.Fields["resolution"].Name
		switch t := ways[at]; {
		case t.Resolution && given == "":
			refuse(w, http.StatusBadRequest, "", map[string]string{"resolution": "Resolution is required."})
		case !t.Resolution && given != "":
			refuse(w, http.StatusBadRequest, "", map[string]string{"resolution": "Field 'resolution' cannot be set. It is not on the appropriate screen, or unknown."})
		case t.Resolution && !slices.Contains(resolutions, given):
			refuse(w, http.StatusBadRequest, "", map[string]string{"resolution": "The resolution '" + given + "' is not valid."})
		case len(t.Needs) > 0:
			refuse(w, http.StatusBadRequest, "", map[string]string{t.Needs[0]: t.Needs[0] + " is required."})
		default:
			s.move(i, t, given, s.o.People[0])
			w.WriteHeader(http.StatusNoContent)
		}
	})
}

// move goes a way, and tells it.
func (s *Site) move(i *Issue, t Transition, resolution string, by Person) {
	from, to := i.Status, i.project.status(t.To)
	i.sought = &seen{from, i.changed}
	i.Status, i.changed, i.Resolution = to, s.o.Now(), ""
	if to.Category == Done {
		i.Resolution = resolution
	}
	s.tell("jira:issue_updated", i, by, object{"items": []object{{
		"field": "status", "fieldtype": "jira", "fieldId": "status", "from": from.ID, "fromString": from.Name, "to": to.ID, "toString": to.Name,
	}}})
}

func (s *Site) addComment(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Body json.RawMessage `json:"body"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Body == nil || badDocument(in.Body) != "" {
		refuse(w, http.StatusBadRequest, "", map[string]string{"comment": "Comment body is not valid! " + badDocument(in.Body)})
		return
	}
	s.with(w, r, func(i *Issue) {
		c := Comment{ID: strconv.Itoa(20000 + len(i.Comments)), Author: s.o.People[0].Name, Body: in.Body}
		i.Comments = append(i.Comments, c)
		reply(w, http.StatusCreated, c.shown())
	})
}

func (s *Site) listComments(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(i *Issue) {
		all := []object{}
		for _, c := range i.Comments {
			all = append(all, c.shown())
		}
		if r.URL.Query().Get("orderBy") == "-created" {
			slices.Reverse(all)
		}
		reply(w, http.StatusOK, object{"comments": all, "startAt": 0, "maxResults": 100, "total": len(all)})
	})
}

func (c Comment) shown() object {
	return object{"id": c.ID, "author": object{"displayName": c.Author}, "body": c.Body}
}

// Move has a person take a transition, named as it is on the page.
func (s *Site) Move(key, transition, who string) error {
	return s.act(key, who, func(i *Issue, by Person) error {
		ways := i.project.ways(i.Status.Name)
		at := slices.IndexFunc(ways, func(t Transition) bool { return t.Name == transition })
		if at < 0 {
			return fmt.Errorf("there is no %s from %s", transition, i.Status.Name)
		}
		s.move(i, ways[at], "Done", by)
		return nil
	})
}

// Rename has a person change the summary, which moves nothing.
func (s *Site) Rename(key, summary, who string) error {
	return s.act(key, who, func(i *Issue, by Person) error {
		from := i.Summary
		i.Summary, i.changed = summary, s.o.Now()
		s.tell("jira:issue_updated", i, by, object{"items": []object{{"field": "summary", "fieldId": "summary", "fromString": from, "toString": summary}}})
		return nil
	})
}

// Delete has a person delete an issue.
func (s *Site) Delete(key, who string) error {
	return s.act(key, who, func(i *Issue, by Person) error {
		s.issues = slices.DeleteFunc(s.issues, func(x *Issue) bool { return x == i })
		s.tell("jira:issue_deleted", i, by, nil)
		return nil
	})
}

// act finds the issue and who acts on it.
func (s *Site) act(key, who string, do func(*Issue, Person) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.issue(key)
	if i == nil {
		return fmt.Errorf("issue %s is not there", key)
	}
	by, ok := s.person(who)
	if !ok {
		return fmt.Errorf("user %s is not there", who)
	}
	if err := do(i, by); err != nil {
		return fmt.Errorf("issue %s: %w", key, err)
	}
	return nil
}
