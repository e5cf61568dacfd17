package sentinelone

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// order is the body of an action: what to do, and with what.
type order struct {
	Data   map[string]any
	Filter struct {
		IDs     ids `json:"ids"`
		SiteIDs ids `json:"siteIds"`
	}
}

// ids are a list, or a bare text as some clients send it.
type ids []string

// UnmarshalJSON takes both forms.
func (l *ids) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*l = ids{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(text, &many); err != nil {
		return fmt.Errorf("ids: %w", err)
	}
	*l = many
	return nil
}

func (o order) text(name string) string {
	text, _ := o.Data[name].(string)
	return text
}

// ordered reads an action. One without ids is refused here, though the console would act on everything: no test may
// pass by that.
func ordered(w http.ResponseWriter, r *http.Request) (order, bool) {
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		refuse(w, http.StatusBadRequest, "Validation Error", err.Error())
		return o, false
	}
	if len(o.Filter.IDs) == 0 {
		refuse(w, http.StatusBadRequest, "Validation Error", "filter: the fake takes no filter without ids.")
		return o, false
	}
	return o, true
}

// change does something to the threats that an order names, and counts those that it changed.
func (c *Console) change(w http.ResponseWriter, o order, do func(t *Threat) bool) {
	n := 0
	for _, t := range c.threats {
		if slices.Contains(o.Filter.IDs, t.ID) && do(t) {
			t.UpdatedAt = c.now()
			n++
		}
	}
	affected(w, n)
}

func (c *Console) postNote(w http.ResponseWriter, r *http.Request) {
	o, ok := ordered(w, r)
	if !ok || c.lacks(w, "Threats.view") {
		return
	}
	c.change(w, o, func(t *Threat) bool {
		c.serial++
		id := fmt.Sprintf("19123456789%08d", c.serial)
		t.Notes = append(t.Notes, Note{id, o.text("text"), "dispatch-bot", c.now()})
		return true
	})
}

func (c *Console) postIncident(w http.ResponseWriter, r *http.Request) {
	o, ok := ordered(w, r)
	if !ok || c.lacks(w, "Threats.updateIncidentStatus") {
		return
	}
	status, verdict := o.text("incidentStatus"), o.text("analystVerdict")
	if !slices.Contains([]string{"unresolved", "in_progress", "resolved"}, status) {
		refuse(w, http.StatusBadRequest, "Validation Error", "incidentStatus: Not a valid choice.")
		return
	}
	if verdict != "" && (c.lacks(w, "Threats.updateAnalystVerdict") || !isVerdict(w, verdict)) {
		return
	}
	c.change(w, o, func(t *Threat) bool {
		before := *t
		t.Status = status
		if verdict != "" {
			t.Verdict = verdict
		}
		return before.Status != t.Status || before.Verdict != t.Verdict
	})
}

func isVerdict(w http.ResponseWriter, verdict string) bool {
	if slices.Contains([]string{"undefined", "true_positive", "false_positive", "suspicious"}, verdict) {
		return true
	}
	refuse(w, http.StatusBadRequest, "Validation Error", "analystVerdict: Not a valid choice.")
	return false
}

func (c *Console) postVerdict(w http.ResponseWriter, r *http.Request) {
	o, ok := ordered(w, r)
	if !ok || c.lacks(w, "Threats.updateAnalystVerdict") || !isVerdict(w, o.text("analystVerdict")) {
		return
	}
	c.change(w, o, func(t *Threat) bool {
		changed := t.Verdict != o.text("analystVerdict")
		t.Verdict = o.text("analystVerdict")
		return changed
	})
}

func (c *Console) postTicketID(w http.ResponseWriter, r *http.Request) {
	o, ok := ordered(w, r)
	if !ok || c.lacks(w, "Threats.updateExternalTicketId") {
		return
	}
	c.change(w, o, func(t *Threat) bool {
		changed := t.TicketID != o.text("externalTicketId")
		t.TicketID = o.text("externalTicketId")
		return changed
	})
}

func (c *Console) postMitigation(w http.ResponseWriter, r *http.Request) {
	o, ok := ordered(w, r)
	action := r.PathValue("action")
	if !ok || c.lacks(w, "Threats."+strings.TrimSuffix(action, "-remediation")) {
		return
	}
	c.change(w, o, func(t *Threat) bool {
		t.Actions = append(t.Actions, action)
		return true
	})
}
