package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tocsin/fake/jira"
	"tocsin/fake/pagerduty"
	"tocsin/fake/sentinelone"
	"tocsin/fake/servicenow"
	"tocsin/fake/slack"
)

// people are those who work in a fake vendor: what they can do by name, each told
// by a POST to /_fake/NAME.
type people map[string]act

// act is something that a person does there, with values of a query.
type act struct {
	query string // as an example
	do    func(ctx context.Context, q url.Values) error
}

// ServeHTTP has a person act; 409 says why the vendor does not let him.
func (p people) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	one, known := p[strings.TrimPrefix(r.URL.Path, "/_fake/")]
	if !known || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, p.usage(""))
		return
	}
	if err := one.do(r.Context(), r.URL.Query()); err != nil {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "done")
}

// usage is a line for each act, and nothing for a vendor without people.
func (p people) usage(base string) string {
	if len(p) == 0 {
		return ""
	}
	var text strings.Builder
	text.WriteString("Its people act when told by POST, on what is newest unless told on what:\n")
	for _, name := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&text, "  curl -X POST '%s/_fake/%s%s'\n", base, name, p[name].query)
	}
	return text.String()
}

// workspacePeople press the buttons of messages.
func workspacePeople(w *slack.Workspace) people {
	return people{"click": {"?button=acknowledge&ts=&user=U061F7AUR", func(ctx context.Context, q url.Values) error {
		messages := slices.DeleteFunc(w.Messages(), func(m slack.Message) bool {
			return m.ThreadTS != "" && m.ThreadTS != m.TS || q.Get("ts") != "" && m.TS != q.Get("ts")
		})
		if len(messages) == 0 {
			return errors.New("ts: there is no such message; raise an alert first, or leave ts out for the newest")
		}
		m := messages[len(messages)-1]
		return w.Click(ctx, m.Channel, m.TS, cmp.Or(q.Get("button"), "acknowledge"), cmp.Or(q.Get("user"), "U061F7AUR"))
	}}}
}

// accountPeople work on incidents.
func accountPeople(a *pagerduty.Account) people {
	act := func(do func(id, who string) error) act {
		return act{"?id=&who=PUSR001", func(_ context.Context, q url.Values) error {
			id := q.Get("id")
			if all := a.Incidents(); id == "" && len(all) > 0 {
				id = all[len(all)-1].ID
			}
			if id == "" {
				return errors.New("id: there is no incident yet; raise an alert first")
			}
			return do(id, cmp.Or(q.Get("who"), "PUSR001"))
		}}
	}
	return people{"acknowledge": act(a.Acknowledge), "resolve": act(a.Resolve), "reopen": act(a.Reopen)}
}

// sitePeople move issues.
func sitePeople(s *jira.Site) people {
	const jane = "5b10a2844c20165700ede21g"
	return people{"move": {"?to=Done&issue=", func(_ context.Context, q url.Values) error {
		key := q.Get("issue")
		if all := s.Issues(); key == "" && len(all) > 0 {
			key = all[len(all)-1].Key
		}
		if key == "" {
			return errors.New("issue: there is none yet; raise an alert first")
		}
		return s.Move(key, cmp.Or(q.Get("to"), "Done"), jane)
	}}}
}

// instancePeople set the state of incidents.
func instancePeople(i *servicenow.Instance) people {
	return people{"state": {"?state=2&id=", func(_ context.Context, q url.Values) error {
		id := q.Get("id")
		if all := i.Records("incident"); id == "" && len(all) > 0 {
			id = all[len(all)-1].Columns["sys_id"]
		}
		if id == "" {
			return errors.New("id: there is no incident yet; raise an alert first")
		}
		i.SetState(id, cmp.Or(q.Get("state"), "2"), "beth.anglin")
		return nil
	}}}
}

// consolePeople say how it stands with threats.
func consolePeople(c *sentinelone.Console) people {
	act := func(field string, words []string, set func(id, word string)) act {
		return act{"?" + field + "=" + words[0] + "&threat=" + fakeThreat, func(_ context.Context, q url.Values) error {
			id := cmp.Or(q.Get("threat"), fakeThreat)
			if c.Threat(id).ID == "" {
				return fmt.Errorf("threat: %s is not there; leave it out for %s", id, fakeThreat)
			}
			if !slices.Contains(words, q.Get(field)) {
				return fmt.Errorf("%s: %q is none; give one of %s", field, q.Get(field), strings.Join(words, ", "))
			}
			set(id, q.Get(field))
			return nil
		}}
	}
	return people{
		"status":  act("status", []string{"in_progress", "resolved", "unresolved"}, c.SetStatus),
		"verdict": act("verdict", []string{"true_positive", "false_positive", "suspicious", "undefined"}, c.SetVerdict),
	}
}
