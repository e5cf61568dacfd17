package webhook

import (
	"bytes"
	"encoding/json"
	"time"

	"tocsin/dispatch"
)

// envelope is a message as Standard Webhooks shapes it.
type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // of the event, the same at every attempt
	Data      data      `json:"data"`
}

type data struct {
	Alert    alert    `json:"alert"`
	Ticket   *ticket  `json:"ticket"`
	Delivery delivery `json:"delivery"`
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

func message(eventType string, p dispatch.Parcel) ([]byte, error) {
	a := p.Alert
	m := envelope{Type: eventType, Timestamp: a.OccurredAt.UTC(), Data: data{
		Alert: alert{
			ID: a.ID, BehaviorModel: a.BehaviorModel, Behavior: a.Behavior, Key: a.Key, KeyType: a.KeyType,
			Severity: a.Severity, RiskScore: a.RiskScore, Risks: a.Risks, Summary: a.Summary, Description: a.Description,
			Source: a.Source, Link: a.Link, Attributes: a.Attributes, Payload: a.Payload,
			OccurredAt: a.OccurredAt.UTC(), ReceivedAt: a.ReceivedAt.UTC(),
		},
		Delivery: delivery{ID: p.DeliveryID, Attempt: p.Attempt, Test: p.Test},
	}}
	if t := p.Ticket; t != nil {
		m.Data.Ticket = &ticket{
			ID: t.ID, Number: t.Number, Title: t.Title, Status: t.Status, Severity: t.Severity,
			AlertCount: t.AlertCount, URL: p.TicketURL,
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // no browser reads this
	err := encoder.Encode(m)
	return bytes.TrimSpace(text.Bytes()), err
}
