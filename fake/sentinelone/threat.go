package sentinelone

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Threat is a threat of the console.
type Threat struct {
	ID             string
	Name           string // default invoice_viewer.exe
	HostID         string
	Status         string // default unresolved
	Verdict        string // default undefined
	Classification string // default Malware
	Mitigation     string // default not_mitigated
	TicketID       string
	SHA1           string
	UpdatedAt      time.Time
	Notes          []Note
	Actions        []string // that were requested, and are pending
}

// Note is a note on a threat.
type Note struct {
	ID, Text, Creator string
	At                time.Time
}

// AddThreat puts a threat in.
func (c *Console) AddThreat(t Threat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range []struct {
		field *string
		value string
	}{
		{&t.Name, "invoice_viewer.exe"},
		{&t.Status, "unresolved"},
		{&t.Verdict, "undefined"},
		{&t.Classification, "Malware"},
		{&t.Mitigation, "not_mitigated"},
		{&t.SHA1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if t.UpdatedAt.IsZero() {
		t.UpdatedAt = c.now()
	}
	c.threats = append(c.threats, &t)
}

// Threat is a copy of a threat as it stands; zero when there is none.
func (c *Console) Threat(id string) Threat {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.threats {
		if t.ID == id {
			copied := *t
			copied.Notes, copied.Actions = slices.Clone(t.Notes), slices.Clone(t.Actions)
			return copied
		}
	}
	return Threat{}
}

// SetStatus is an analyst who sets a threat's status in the console.
func (c *Console) SetStatus(id, status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.threats {
		if t.ID == id {
			t.Status, t.UpdatedAt = status, c.now()
		}
	}
}

// SetVerdict is an analyst who gives a verdict in the console.
func (c *Console) SetVerdict(id, verdict string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.threats {
		if t.ID == id {
			t.Verdict, t.UpdatedAt = verdict, c.now()
		}
	}
}

// Remove takes a threat out.
func (c *Console) Remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.threats = slices.DeleteFunc(c.threats, func(t *Threat) bool { return t.ID == id })
}

// ForgetCursors makes every cursor that was given out a stale one.
func (c *Console) ForgetCursors() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.cursors)
}

func (c *Console) listThreats(w http.ResponseWriter, r *http.Request) {
	if c.lacks(w, "Threats.view") {
		return
	}
	q := r.URL.Query()
	var found []*Threat
	for _, t := range c.threats {
		if c.matches(t, q.Get) {
			found = append(found, t)
		}
	}
	if q.Get("sortBy") == "updatedAt" {
		slices.SortStableFunc(found, func(a, b *Threat) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	}
	var rows []any
	for _, t := range found {
		rows = append(rows, c.threatJSON(t))
	}
	c.page(w, r, rows)
}

func (c *Console) matches(t *Threat, q func(string) string) bool {
	since, err := time.Parse(time.RFC3339Nano, q("updatedAt__gte"))
	host := c.host(t.HostID)
	return among(q("ids"), t.ID) && among(q("incidentStatuses"), t.Status) && among(q("externalTicketIds"), t.TicketID) &&
		among(q("siteIds"), host.SiteID) && among(q("accountIds"), host.AccountID) &&
		(q("updatedAt__gte") == "" || err == nil && !t.UpdatedAt.Before(since)) &&
		(q("resolved") != "false" || t.Status != "resolved")
}

// among tells whether a comma-joined filter takes a value; an empty one takes all.
func among(filter, value string) bool {
	return filter == "" || slices.Contains(strings.Split(filter, ","), value)
}

// page answers with the part of a list that is asked for. Cursors are opaque, and those that are not known are refused.
func (c *Console) page(w http.ResponseWriter, r *http.Request, rows []any) {
	q := r.URL.Query()
	limit, err := strconv.Atoi(q.Get("limit"))
	if q.Get("limit") == "" {
		limit, err = 10, nil
	}
	if err != nil || limit < 1 || limit > 1000 {
		refuse(w, http.StatusBadRequest, "Validation Error", "limit: Must be between 1 and 1000.")
		return
	}
	from := 0
	if text := q.Get("cursor"); text != "" {
		place, known := c.cursors[text]
		if !known {
			refuse(w, http.StatusBadRequest, "Validation Error", "Invalid cursor value received")
			return
		}
		from = place
	}
	from = min(from, len(rows))
	to := min(from+limit, len(rows))
	var next any
	if to < len(rows) {
		c.serial++
		text := fmt.Sprintf("b3BhcXVl%d=", c.serial)
		c.cursors[text], next = to, text
	}
	total := len(rows)
	if q.Get("skipCount") == "true" {
		total = 0
	}
	reply(w, http.StatusOK, object{"data": append([]any{}, rows[from:to]...), "pagination": object{"nextCursor": next, "totalItems": total}})
}

func (c *Console) threatJSON(t *Threat) object {
	h := c.host(t.HostID)
	var ticket any
	if t.TicketID != "" {
		ticket = t.TicketID
	}
	actions := []object{}
	for _, a := range t.Actions {
		actions = append(actions, object{"action": a, "status": "pending", "lastUpdate": t.UpdatedAt.Format(stamp), "groupNotFound": false})
	}
	return object{
		"id": t.ID,
		"threatInfo": object{
			"threatId": t.ID, "threatName": t.Name, "classification": t.Classification, "confidenceLevel": "malicious",
			"analystVerdict": t.Verdict, "incidentStatus": t.Status, "mitigationStatus": t.Mitigation, "sha1": t.SHA1, "sha256": nil,
			"externalTicketId": ticket, "externalTicketExists": ticket != nil,
			"createdAt": t.UpdatedAt.Format(stamp), "updatedAt": t.UpdatedAt.Format(stamp),
		},
		"agentRealtimeInfo": object{
			"agentId": h.ID, "agentUuid": h.UUID, "agentComputerName": h.Name, "agentOsType": h.OS, "agentNetworkStatus": h.Network,
			"accountId": h.AccountID, "siteId": h.SiteID, "scanStatus": h.Scan,
		},
		"mitigationStatus": actions,
	}
}

func (c *Console) listNotes(w http.ResponseWriter, r *http.Request) {
	var rows []any
	for _, t := range c.threats {
		if t.ID != r.PathValue("id") {
			continue
		}
		for _, n := range slices.Backward(t.Notes) {
			rows = append(rows, object{
				"id": n.ID, "text": n.Text, "creator": n.Creator, "creatorId": "1700000000000000901",
				"createdAt": n.At.Format(stamp), "updatedAt": n.At.Format(stamp), "edited": false,
			})
		}
	}
	c.page(w, r, rows)
}
