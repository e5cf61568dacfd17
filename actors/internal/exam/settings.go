package exam

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
)

// Settings holds the part of the exam that every kind sits, whatever it speaks:
// the defaults are valid but for what only the user knows, and settings that are
// unknown or of the wrong type are refused by name.
func Settings(t *testing.T, k dispatch.Kind) {
	t.Helper()
	_, problems := dispatch.Fill(k.ConfigSettings, dispatch.Defaults(k.ConfigSettings), nil)
	for _, p := range problems {
		if p.Code != dispatch.CodeRequired {
			t.Errorf("the defaults of an API config are refused: %v", p)
		}
	}
	for _, v := range []any{k.Settings, k.ConfigSettings} {
		refuses(t, v, `{"noSuchThing": 1}`, "settings.noSuchThing")
		for _, name := range schema(t, v).Order {
			secret := slices.Contains(dispatch.SecretFields(v), name)
			if !secret {
				refuses(t, v, fmt.Sprintf(`{%q: [{}]}`, name), "settings."+name)
			}
		}
		for _, name := range schema(t, v).Required {
			_, problems := dispatch.Fill(v, dispatch.JSON(fmt.Sprintf(`{%q: null}`, name)), nil)
			if !names(problems, "settings."+name) && !names(problems, "secrets."+name) {
				t.Errorf("nothing is said about %s, which is missing", name)
			}
		}
	}
}

// opens: what only Open can check is refused by name.
func (p Paper) opens(t *testing.T) {
	for _, r := range p.Refused {
		t.Run(r.Name, func(t *testing.T) {
			filled, problems := dispatch.Fill(p.Kind.Settings, dispatch.JSON(r.Settings), r.Secrets)
			if len(problems) > 0 {
				if !names(problems, r.Field) {
					t.Errorf("problems %v do not name %s", problems, r.Field)
				}
				return
			}
			world, _ := world(t)
			_, err := p.Kind.Open(filled, world)
			if err == nil || !strings.Contains(err.Error(), r.Field) {
				t.Errorf("error %v does not name %s", err, r.Field)
			}
			for _, secret := range r.Secrets {
				if err != nil && len(secret) > 0 && strings.Contains(err.Error(), string(secret)) {
					t.Errorf("error %v shows the secret", err)
				}
			}
		})
	}
}

func refuses(t *testing.T, v any, settings, field string) {
	t.Helper()
	_, problems := dispatch.Fill(v, dispatch.JSON(settings), nil)
	if !names(problems, field) {
		t.Errorf("problems of %s do not name %s: %v", settings, field, problems)
	}
}

func names(problems []dispatch.UserError, field string) bool {
	return slices.ContainsFunc(problems, func(p dispatch.UserError) bool {
		return strings.Join(p.Path, ".") == field
	})
}

type shape struct {
	Order    []string `json:"x-order"`
	Required []string `json:"required"`
}

func schema(t *testing.T, v any) shape {
	t.Helper()
	var s shape
	if err := json.Unmarshal(dispatch.Schema(v), &s); err != nil {
		t.Fatalf("the schema is not JSON: %v", err)
	}
	return s
}

// Parcel is the n-th of a row of parcels with everything in them: an alert, its
// ticket and ids that do not change from run to run.
func Parcel(n int) dispatch.Parcel {
	at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	text := func(s string) *string { return &s }
	score := 87
	id := fmt.Sprintf("019aa000-0000-7000-8000-%012d", n)
	return dispatch.Parcel{
		DeliveryID: "dlv_" + id,
		Attempt:    1,
		Alert: dispatch.Alert{
			ID: "alr_" + id, BehaviorModel: "Impossible travel", Behavior: text("Login from two countries"),
			Key: text("jdoe"), KeyType: text("username"), Severity: dispatch.High, RiskScore: &score,
			Risks: []string{"Account takeover", "MFA fatigue"}, Summary: "jdoe logged in from Oslo and Lagos within 10 minutes",
			Description: text("Two logins that no plane connects."), Source: text("okta"),
			Link: text("https://siem.example.com/events/42"), Attributes: dispatch.JSON(`{"country": ["NO", "NG"], "host": "vpn-1"}`),
			DedupKey: "17:Impossible travel/4:jdoe", OccurredAt: at, ReceivedAt: at.Add(2 * time.Second),
		},
		Ticket: &dispatch.Ticket{
			ID: "tkt_" + id, Number: 1000 + n, Title: "jdoe logged in from Oslo and Lagos within 10 minutes",
			Status: dispatch.TicketOpen, Severity: dispatch.High, BehaviorModel: "Impossible travel", AlertCount: 1, OpenedAt: at,
		},
		TicketURL: fmt.Sprintf("https://tocsin.example.com/tickets/%d", 1000+n),
	}
}

func silent() *log.Logger { return log.New(io.Discard, "", 0) }
