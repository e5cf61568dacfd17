package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// callback is what a receiver says of a ticket that it was told about. It names
// the ticket by our id, or by the id that it answered with when it took the alert.
type callback struct {
	TicketID   string `json:"ticketId"`
	ExternalID string `json:"externalId"`
	Status     string `json:"status"`
	By         string `json:"by"`
	Comment    string `json:"comment"`
}

// statuses are the words of a callback, in capitals.
var statuses = map[string]dispatch.TicketStatus{
	"OPEN": dispatch.TicketOpen, "ACKNOWLEDGED": dispatch.TicketAcknowledged, "CLOSED": dispatch.TicketClosed,
	"RESOLVED": dispatch.TicketClosed,
}

// Receive takes a callback, signed by Standard Webhooks v1 with the inbound
// secret. A body that cannot be used is answered 400 with the field as JSON.
func (m *messenger) Receive(_ context.Context, r dispatch.Inbound) ([]dispatch.StatusChange, dispatch.Reply) {
	id, at, err := verify(m.inbound, r.Header, r.Body, time.Now())
	if err != nil {
		return nil, dispatch.Reply{Status: http.StatusUnauthorized, Body: err.Error() + "\n"}
	}
	if len(id) > maxID {
		return nil, bad("webhook-id", "has more than 200 characters")
	}
	var c callback
	if err := json.Unmarshal(r.Body, &c); err != nil {
		wrong, _ := errors.AsType[*json.UnmarshalTypeError](err)
		if wrong != nil && wrong.Field != "" {
			return nil, bad(wrong.Field, "is not a text; give it in quotes")
		}
		return nil, bad("", `is not a JSON object of texts, such as {"ticketId": "tkt_…", "status": "ACKNOWLEDGED"}`)
	}
	field, problem := c.problem()
	if problem != "" {
		return nil, bad(field, problem)
	}
	return []dispatch.StatusChange{c.change(id, at)}, dispatch.Reply{Status: http.StatusAccepted}
}

// Limits of what a callback says, in characters.
const (
	maxID      = 200
	maxBy      = 200
	maxComment = 4000
)

func (c callback) problem() (field, problem string) {
	_, known := statuses[strings.ToUpper(c.Status)]
	switch {
	case c.TicketID == "" && c.ExternalID == "":
		return "ticketId", "is missing; name the ticket by data.ticket.id of the alert, or give externalId"
	case len(c.ExternalID) > maxID:
		return "externalId", "has more than 200 characters"
	case c.Status == "" && strings.TrimSpace(c.Comment) == "":
		return "status", "is missing; give OPEN, ACKNOWLEDGED or CLOSED, or a comment"
	case c.Status != "" && !known:
		return "status", "is not known; give OPEN, ACKNOWLEDGED or CLOSED"
	default:
		return "", ""
	}
}

// change always says who, so that a callback is never taken for the echo of what
// was sent: a receiver calls when somebody has done something there.
func (c callback) change(id string, at time.Time) dispatch.StatusChange {
	by := clip.Characters(cmp.Or(strings.TrimSpace(c.By), "the receiver"), maxBy)
	change := dispatch.StatusChange{
		EventID: id, At: at, Status: statuses[strings.ToUpper(c.Status)], Word: c.Status, By: by,
	}
	for _, name := range []string{c.ExternalID, c.TicketID} {
		if name != "" {
			change.Names = append(change.Names, name)
		}
	}
	if c.TicketID != "" {
		change.TicketIDs = []string{c.TicketID}
	}
	if comment := strings.TrimSpace(c.Comment); comment != "" {
		change.Text = by + ": " + clip.Characters(comment, maxComment)
	}
	return change
}

// bad is the answer to what cannot be used.
func bad(field, problem string) dispatch.Reply {
	type said struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	}
	text, err := json.Marshal(map[string]said{"error": {cmp.Or(field, "body"), problem}})
	if err != nil { // texts always marshal
		return dispatch.Reply{Status: http.StatusBadRequest}
	}
	return dispatch.Reply{Status: http.StatusBadRequest, Type: "application/json", Body: string(text)}
}
