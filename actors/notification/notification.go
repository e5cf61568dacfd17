// Package notification puts alerts on the server's own notifications page. It
// talks to no other system, needs no settings and no actor to be added.
package notification

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/dispatch"
)

// Kind is the notification on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "notification", Title: "Notification",
		Description: "Puts a message on the notifications page of this server.",
		SetupHelp:   "Nothing to set up: an API config of this type works as it is.",
		BuiltIn:     true,
		Settings:    &Settings{},
		ConfigSettings: &ConfigSettings{
			Title:    "{{.Alert.Summary}}",
			Message:  "{{.Alert.BehaviorModel}} ({{.Alert.Severity}}) {{.Alert.Key}}\n{{.Alert.Description}}",
			Category: "Alert",
			Source:   "{{.Alert.BehaviorModel}}",
		},
		DefaultName:  "Notification-Default",
		Capabilities: []dispatch.Capability{dispatch.CanDeliver},
		Idempotent:   true, // the page takes one notification a delivery
		Open:         open,
	}
}

// Settings are those of the notification actor: none.
type Settings struct{}

// ConfigSettings are those of a notification API config.
type ConfigSettings struct {
	Title       string `json:"title" title:"Title" doc:"Give one line that says what happened" required:"true" template:"true"`
	Message     string `json:"message" title:"Message" doc:"What a person reads who opens the notification" template:"true"`
	Category    string `json:"category" title:"Category" doc:"Give a word to sort notifications by" required:"true" max:"100"`
	SubCategory string `json:"subCategory" title:"Subcategory" doc:"A second word to sort notifications by" max:"100"`
	Source      string `json:"source" title:"Source" doc:"Who says so" template:"true"`
	Severity    string `json:"severity" title:"Severity" doc:"Left out, the severity of the alert" enum:"INFO,LOW,MEDIUM,HIGH,CRITICAL"`
}

// Limits of what is shown, in bytes; longer texts are cut visibly.
const (
	maxTitle   = 500
	maxMessage = 20_000
)

type messenger struct{ notify notifier }

type notifier func(context.Context, dispatch.Notification) error

func open(_ any, w dispatch.World) (dispatch.Messenger, error) {
	if w.Notify == nil {
		return nil, errors.New("open notification: there is no notifications page")
	}
	return messenger{w.Notify}, nil
}

// Deliver puts the notification on the page. A page that cannot be written is
// tried again later.
func (m messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of a notification", p.Settings))
	}
	n := s.notification(p)
	if err := m.notify(ctx, n); err != nil {
		return dispatch.Deferred(fmt.Errorf("write the notification: %w", err))
	}
	return dispatch.Delivered(dispatch.Ref{ID: n.ID})
}

func (s *ConfigSettings) notification(p dispatch.Parcel) dispatch.Notification {
	n := dispatch.Notification{
		ID:        idOf(p),
		Title:     dispatch.Cut(cmp.Or(strings.TrimSpace(s.Title), p.Alert.Summary), maxTitle),
		Message:   dispatch.Cut(strings.TrimSpace(s.Message), maxMessage),
		Severity:  cmp.Or(dispatch.Severity(s.Severity), p.Alert.Severity),
		Category:  s.Category,
		Source:    dispatch.Cut(cmp.Or(strings.TrimSpace(s.Source), p.Alert.BehaviorModel), maxTitle),
		AlertID:   given(p.Alert.ID),
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
	n.SubCategory, n.DeliveryID = given(s.SubCategory), given(p.DeliveryID)
	if p.Ticket != nil {
		n.TicketID = given(p.Ticket.ID)
	}
	if p.Test {
		n.Title = "[Test] " + n.Title
	}
	return n
}

// idOf is the notification's id, the same at every attempt: the page may have
// taken the first one without this server hearing of it.
func idOf(p dispatch.Parcel) string {
	if unique, ok := strings.CutPrefix(p.DeliveryID, dispatch.PrefixDelivery+"_"); ok {
		return dispatch.PrefixNotification + "_" + unique
	}
	return dispatch.NewID(dispatch.PrefixNotification)
}

// given is nil for an empty text.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
