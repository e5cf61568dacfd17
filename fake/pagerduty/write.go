package pagerduty

import (
	"net/http"
	"slices"
	"strings"
)

// maxPut is how many incidents one call changes.
const maxPut = 250

// wish is what a PUT asks of an incident.
type wish struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Status     string `json:"status"`
	Resolution string `json:"resolution"`
}

func (a *Account) putIncidents(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Incidents []wish `json:"incidents"`
	}
	if !taken(w, r, &in) {
		return
	}
	if len(in.Incidents) > maxPut {
		refuse(w, http.StatusRequestEntityTooLarge, codeInvalid, "Too many incidents")
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	by, ok := a.requester(w, r)
	if !ok {
		return
	}
	all := []object{}
	for _, it := range in.Incidents {
		i := a.grant(w, it, by)
		if i == nil {
			return
		}
		all = append(all, a.shown(i))
	}
	reply(w, http.StatusOK, object{"incidents": all, "limit": 25, "offset": 0, "total": nil, "more": false})
}

func (a *Account) putIncident(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Incident wish `json:"incident"`
	}
	if !taken(w, r, &in) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	by, ok := a.requester(w, r)
	if !ok {
		return
	}
	in.Incident.ID = r.PathValue("id")
	if i := a.grant(w, in.Incident, by); i != nil {
		reply(w, http.StatusOK, object{"incident": a.shown(i)})
	}
}

// grant does what is wished; nil when it was refused. Acknowledged and triggered open a resolved incident again, and an
// acknowledgement assigns it to who asked. Source: REST API, manage incidents; the last, an issue of hubot-pager-me.
func (a *Account) grant(w http.ResponseWriter, it wish, by agent) *Incident {
	i := a.incident(it.ID)
	switch {
	case i == nil:
		refuse(w, http.StatusNotFound, codeNotFound, "Not Found")
		return nil
	case it.Type != "incident" && it.Type != "incident_reference":
		refuse(w, http.StatusBadRequest, codeInvalid, "Invalid Input Provided", "Type must be incident or incident_reference")
		return nil
	case !slices.Contains([]string{"", Triggered, Acknowledged, Resolved}, it.Status):
		refuse(w, http.StatusBadRequest, codeInvalid, "Invalid Input Provided", "Status is invalid")
		return nil
	case it.Status == Resolved && i.Status == Resolved:
		refuse(w, http.StatusBadRequest, codeAlreadyResolved, "Invalid Input Provided", "Incident Already Resolved")
		return nil
	case it.Status == Acknowledged && i.Status == Acknowledged:
		refuse(w, http.StatusBadRequest, codeAlreadyAcknowledged, "Invalid Input Provided", "Incident Already Acknowledged")
		return nil
	case it.Status != "" && it.Status != i.Status:
		a.set(i, it.Status, a.eventOf(i.Status, it.Status), by)
	}
	if id, ok := by["id"].(string); ok && it.Status == Acknowledged {
		i.Assignees = []string{id}
	}
	return i
}

// eventOf is the event of a change by REST. Which one a reopening to acknowledged sends is assumed.
func (a *Account) eventOf(from, to string) string {
	switch {
	case to == Resolved:
		return "incident.resolved"
	case from == Resolved:
		return "incident.reopened"
	case to == Acknowledged:
		return "incident.acknowledged"
	default:
		return "incident.unacknowledged"
	}
}

func (a *Account) postNote(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Note struct {
			Content string `json:"content"`
		} `json:"note"`
	}
	if !taken(w, r, &in) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	by, ok := a.requester(w, r)
	i := a.incident(r.PathValue("id"))
	switch {
	case !ok:
	case i == nil:
		refuse(w, http.StatusNotFound, codeNotFound, "Not Found")
	case strings.TrimSpace(in.Note.Content) == "":
		refuse(w, http.StatusBadRequest, codeInvalid, "Invalid Input Provided", "Content cannot be empty.")
	default:
		reply(w, http.StatusOK, object{"note": a.note(i, in.Note.Content, by)})
	}
}
