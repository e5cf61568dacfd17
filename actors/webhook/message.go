package webhook

import (
	"bytes"
	"encoding/json"
	"time"

	"tocsin/dispatch"
)

// event is what a receiver is told.
type event struct {
	id      string // of the delivery: the same at every attempt
	name    string
	subject string
	at      time.Time // when it happened, the same at every attempt
	data    any
}

// envelope is an event as Standard Webhooks shapes it.
type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// data is what is told of an alert.
type data struct {
	Alert    alert    `json:"alert"`
	Ticket   *ticket  `json:"ticket"`
	Delivery delivery `json:"delivery"`
}

// update is what is told of a ticket's status: of the alert its id alone.
type update struct {
	Alert    reference `json:"alert"`
	Ticket   *ticket   `json:"ticket"`
	Delivery delivery  `json:"delivery"`
}

type reference struct {
	ID string `json:"id"`
}

// alert and ticket carry the names that the GraphQL API has for the fields.
type alert struct {
	ID            string            `json:"id"`
	BehaviorModel string            `json:"behaviorModel"`
	Behavior      *string           `json:"behavior"`
	Key           *string           `json:"key"`
	KeyType       *string           `json:"keyType"`
	Severity      dispatch.Severity `json:"severity"`
	RiskScore     *int              `json:"riskScore"`
	Risks         []string          `json:"risks"`
	Summary       string            `json:"summary"`
	Description   *string           `json:"description"`
	Source        *string           `json:"source"`
	Link          *string           `json:"link"`
	Attributes    dispatch.JSON     `json:"attributes"`
	Payload       dispatch.JSON     `json:"payload"`
	OccurredAt    time.Time         `json:"occurredAt"`
	ReceivedAt    time.Time         `json:"receivedAt"`
}

type ticket struct {
	ID         string                `json:"id"`
	Number     int                   `json:"number"`
	Title      string                `json:"title"`
	Status     dispatch.TicketStatus `json:"status"`
	Severity   dispatch.Severity     `json:"severity"`
	AlertCount int                   `json:"alertCount"`
	URL        string                `json:"url"`
}

type delivery struct {
	ID      string `json:"id"`
	Attempt int    `json:"attempt"`
	Test    bool   `json:"test"` // asked for by a person to see whether it works
}

func alertEvent(name string, p dispatch.Parcel) event {
	a := p.Alert
	return event{id: p.DeliveryID, name: name, subject: "alert/" + a.ID, at: a.OccurredAt, data: data{
		Alert: alert{
			ID: a.ID, BehaviorModel: a.BehaviorModel, Behavior: a.Behavior, Key: a.Key, KeyType: a.KeyType,
			Severity: a.Severity, RiskScore: a.RiskScore, Risks: a.Risks, Summary: a.Summary, Description: a.Description,
			Source: a.Source, Link: a.Link, Attributes: a.Attributes, Payload: a.Payload,
			OccurredAt: a.OccurredAt.UTC(), ReceivedAt: a.ReceivedAt.UTC(),
		},
		Ticket:   ticketOf(p.Ticket, p.TicketURL),
		Delivery: delivery{ID: p.DeliveryID, Attempt: p.Attempt, Test: p.Test},
	}}
}

func ticketOf(t *dispatch.Ticket, url string) *ticket {
	if t == nil {
		return nil
	}
	return &ticket{
		ID: t.ID, Number: t.Number, Title: t.Title, Status: t.Status, Severity: t.Severity,
		AlertCount: t.AlertCount, URL: url,
	}
}

func encode(v any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // no browser reads this
	err := encoder.Encode(v)
	return bytes.TrimSpace(text.Bytes()), err
}
