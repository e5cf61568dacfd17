package sentinelone

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// Alert is a Unified Alert.
type Alert struct {
	ID        string
	Name      string
	Status    string // default NEW
	Verdict   string // default UNDEFINED
	TicketID  string
	Notes     []string
	UpdatedAt time.Time

	before *Alert // what is shown while the console is late
	late   int
}

// AddAlert puts an alert in.
func (c *Console) AddAlert(a Alert) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Status == "" {
		a.Status = "NEW"
	}
	if a.Verdict == "" {
		a.Verdict = "UNDEFINED"
	}
	a.UpdatedAt = c.now()
	c.alerts = append(c.alerts, &a)
}

// Alert is a copy of an alert as it stands; zero when there is none.
func (c *Console) Alert(id string) Alert {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.alert(id); a != nil {
		copied := *a
		copied.Notes = slices.Clone(a.Notes)
		return copied
	}
	return Alert{}
}

// SetAlertStatus is an analyst who sets an alert's status in the console.
func (c *Console) SetAlertStatus(id, status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.alert(id); a != nil {
		a.Status, a.UpdatedAt = status, c.now()
	}
}

func (c *Console) alert(id string) *Alert {
	for _, a := range c.alerts {
		if a.ID == id {
			return a
		}
	}
	return nil
}

var (
	aliased    = regexp.MustCompile(`(\w+): alert\(id: "([^"]+)"\)`)
	isMutation = regexp.MustCompile(`^mutation\b`)
	oneAlert   = regexp.MustCompile(`\balert\(id: \$id\)`)
	notesOf    = regexp.MustCompile(`\balertNotes\(alertId: \$alertId\)`)
)

// graphql knows the queries of our client, by their form; all others it refuses as a console refuses what is not in its
// schema: with status 200.
func (c *Console) graphql(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Query     string
		Variables struct {
			ID, AlertID string
			Filter      struct {
				Or []struct {
					And []struct{ StringEqual struct{ Value string } }
				}
			}
			Actions []action
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		refuse(w, http.StatusBadRequest, "Bad Request", err.Error())
		return
	}
	data := object{}
	switch {
	case isMutation.MatchString(q.Query) && len(q.Variables.Filter.Or) == 1 && len(q.Variables.Filter.Or[0].And) == 1:
		data["alertTriggerActions"] = c.trigger(q.Variables.Filter.Or[0].And[0].StringEqual.Value, q.Variables.Actions)
	case oneAlert.MatchString(q.Query):
		data["alert"] = c.shown(q.Variables.ID)
	case notesOf.MatchString(q.Query):
		data["alertNotes"] = object{"data": c.notesOf(q.Variables.AlertID)}
	case aliased.MatchString(q.Query):
		for _, m := range aliased.FindAllStringSubmatch(q.Query, -1) {
			data[m[1]] = c.shown(m[2])
		}
	default:
		reply(w, http.StatusOK, object{"errors": []object{{"message": "Cannot query this field on type 'Query'."}}, "data": nil})
		return
	}
	reply(w, http.StatusOK, object{"data": data})
}

// action is one that a mutation asks for.
type action struct {
	ID      string
	Payload map[string]struct{ Value string }
}

func (c *Console) notesOf(id string) []object {
	out := []object{}
	if a := c.alert(id); a != nil {
		for _, n := range a.Notes {
			out = append(out, object{"text": n})
		}
	}
	return out
}

// shown is an alert as a read shows it, which may be as it was before.
func (c *Console) shown(id string) any {
	a := c.alert(id)
	if a == nil {
		return nil
	}
	if a.late > 0 {
		a.late--
		a = a.before
	}
	return object{
		"id": a.ID, "name": a.Name, "status": a.Status, "analystVerdict": a.Verdict, "ticketId": a.TicketID,
		"updatedAt": a.UpdatedAt.Format(stamp),
	}
}

// trigger answers with a receipt; no actions when nothing matched.
func (c *Console) trigger(id string, actions []action) object {
	a, done := c.alert(id), []object{}
	for _, todo := range actions {
		if a == nil {
			continue
		}
		row := object{"actionId": todo.ID, "success": []object{}, "skip": []object{}, "failure": []object{}}
		switch {
		case slices.Contains(c.o.Lacking, "Unified Alerts: Manage"):
			row["failure"] = []object{{"id": id, "errorMessage": "Missing UAM manage permissions", "errorType": "MISSING_PERMISSION"}}
		case c.applied(a, todo):
			row["success"] = []object{{"id": id}}
		default:
			row["skip"] = []object{{"id": id}}
		}
		done = append(done, row)
	}
	return object{"__typename": "ActionsTriggered", "actions": done}
}

// applied does an action and tells whether that changed the alert.
func (c *Console) applied(a *Alert, todo action) bool {
	before := *a
	switch todo.ID {
	case "S1/alert/statusUpdate":
		a.Status = todo.Payload["status"].Value
	case "S1/alert/analystVerdictUpdate":
		a.Verdict = todo.Payload["analystVerdict"].Value
	case "S1/alert/setTicketId":
		a.TicketID = todo.Payload["ticketId"].Value
	case "S1/alert/addNote":
		a.Notes = append(a.Notes, todo.Payload["note"].Value)
		return true
	}
	if before.Status == a.Status && before.Verdict == a.Verdict && before.TicketID == a.TicketID {
		return false
	}
	a.UpdatedAt, a.before, a.late = c.now(), &before, c.o.Late
	return true
}
