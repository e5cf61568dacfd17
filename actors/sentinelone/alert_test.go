package sentinelone

import (
	"strings"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	console "tocsin/fake/sentinelone"
)

const alertID = "019db24c-8b6d-7451-8697-b1b2e1a270f1"

func alertStage(t *testing.T, o console.Options) (stage, dispatch.Parcel, *ConfigSettings) {
	t.Helper()
	s := staged(t, o, "")
	s.c.AddAlert(console.Alert{ID: alertID, Name: "Malicious Activity Detected"})
	p, config := parcel(opNote, opLink, opStatus)
	config.TargetKind, config.Target, config.CloseVerdict = targetAlert, alertID, "false_positive"
	return s, p, config
}

// TestAlert: a Unified Alert has the note once, the ticket's number and its
// status, also when it shows it late.
func TestAlert(t *testing.T) {
	s, p, _ := alertStage(t, console.Options{Late: 1})
	p.Ticket.Status = dispatch.TicketAcknowledged
	out := s.deliver(t, p, dispatch.OutcomeDelivered)
	s.deliver(t, p, dispatch.OutcomeDelivered)
	got := s.c.Alert(alertID)
	if len(got.Notes) != 1 || got.TicketID != "T-1001" || got.Status != "IN_PROGRESS" {
		t.Errorf("the alert is %+v", got)
	}
	if ref := out.Ref(); ref.ID != alertID || ref.Shows != dispatch.TicketAcknowledged || ref.Word != "IN_PROGRESS" {
		t.Errorf("ref %+v", ref)
	}
}

// TestAlertUpdate sets each status, with a close the verdict; FALSE_POSITIVE is
// closed, and is left so.
func TestAlertUpdate(t *testing.T) {
	s, _, config := alertStage(t, console.Options{})
	for _, row := range []struct {
		status        dispatch.TicketStatus
		word, verdict string
	}{
		{dispatch.TicketAcknowledged, "IN_PROGRESS", "UNDEFINED"},
		{dispatch.TicketClosed, "RESOLVED", "FALSE_POSITIVE_UNDEFINED"},
		{dispatch.TicketOpen, "NEW", "FALSE_POSITIVE_UNDEFINED"},
	} {
		out := s.update(t, alertID, row.status, config)
		if got := s.c.Alert(alertID); out.Kind() != dispatch.OutcomeDelivered || got.Status != row.word || got.Verdict != row.verdict {
			t.Errorf("%s: %s (%v), the alert is %+v", row.status, out.Kind(), out.Err(), got)
		}
	}
	s.c.SetAlertStatus(alertID, "FALSE_POSITIVE")
	s.update(t, alertID, dispatch.TicketClosed, config)
	if got := s.c.Alert(alertID); got.Status != "FALSE_POSITIVE" {
		t.Errorf("the alert is %+v", got)
	}
}

// TestAlertRefused: errors come with status 200.
func TestAlertRefused(t *testing.T) {
	path := base + "/unifiedalerts/graphql"
	for name, row := range map[string]struct {
		lacking []string
		answer  string
		says    string
		gone    bool
	}{
		"permission": {[]string{"Unified Alerts: Manage"}, "", "Unified Alerts: Manage", false},
		"error":      {nil, `{"data":{"alertTriggerActions":{"__typename":"TriggerActionsError","errors":[{"errorMessage":"too many alerts selected"}]}}}`, "too many alerts selected", false},
		"no match":   {nil, `{"data":{"alertTriggerActions":{"__typename":"ActionsTriggered","actions":[]}}}`, "no alert", true},
		"schema":     {nil, `{"errors":[{"message":"Cannot query field 'nope' on type 'Alert'."}],"data":null}`, "nope", false},
	} {
		s, _, config := alertStage(t, console.Options{Lacking: row.lacking})
		if row.answer != "" {
			s.c.Play(fake.Step{Path: path, Apply: true}, fake.Step{Path: path, Status: 200, Body: row.answer})
		}
		config.CloseVerdict = ""
		out := s.update(t, alertID, dispatch.TicketClosed, config)
		if out.Kind() != dispatch.OutcomeRefused || !strings.Contains(out.Err().Error(), row.says) || out.IsGone() != row.gone {
			t.Errorf("%s: %s %v, gone %v", name, out.Kind(), out.Err(), out.IsGone())
		}
	}
}

// TestAskAlerts tells how alerts and threats stand together, and which are gone.
func TestAskAlerts(t *testing.T) {
	s, _, _ := alertStage(t, console.Options{})
	s.c.SetAlertStatus(alertID, "FALSE_POSITIVE")
	gone := "019db24c-8b6d-7451-8697-b1b2e1a270f2"
	links := []dispatch.TicketLink{{ExternalID: gone}, {ExternalID: alertID}, {ExternalID: threatID}}
	changes, out := s.Ask(t.Context(), links)
	if out.Kind() != dispatch.OutcomeDelivered || len(changes) != 3 {
		t.Fatalf("%s %v, %d changes", out.Kind(), out.Err(), len(changes))
	}
	for _, c := range changes {
		switch c.Names[0] {
		case gone:
			if !c.Gone {
				t.Error("the one that is gone is not said to be")
			}
		case alertID:
			if c.Status != dispatch.TicketClosed || c.Text == "" {
				t.Errorf("change %+v", c)
			}
		}
	}
}
