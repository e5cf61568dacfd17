package servicenow

import (
	"net/url"
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	instance "tocsin/fake/servicenow"
)

// TestDeliver makes an incident and knows it by its sys_id and its number.
func TestDeliver(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	ref := s.deliver(t, parcel(t, `{"assignmentGroup": "Network", "category": "network", "fields": {"contact_type": "monitoring"}}`), dispatch.OutcomeDelivered).Ref()
	exam.Golden(t, "testdata/request.json", s.i.Requests.All()[0].Body)
	all := s.i.Records("incident")
	if len(all) != 1 || all[0].Columns["contact_type"] != "monitoring" {
		t.Fatalf("records %+v", all)
	}
	id, number := all[0].Columns["sys_id"], all[0].Columns["number"]
	if ref.ID != id || len(ref.Also) != 1 || ref.Also[0] != number || ref.Word != "New" || ref.Shows != dispatch.TicketOpen || ref.Loose || ref.Data["table"] != "incident" {
		t.Errorf("ref %+v", ref)
	}
	u, err := url.Parse(ref.URL)
	if err != nil || u.Path != "/nav_to.do" || u.Query().Get("uri") != "incident.do?sys_id="+id {
		t.Errorf("url %s", ref.URL)
	}
}

// TestSeverities: each has its urgency and impact, and one that is changed leaves
// the others.
func TestSeverities(t *testing.T) {
	want := map[dispatch.Severity]string{dispatch.Critical: "1/1", dispatch.High: "1/2", dispatch.Medium: "2/2", dispatch.Low: "2/2", dispatch.Info: "3/3"}
	for severity, both := range want {
		p := parcel(t, `{"urgency": {"LOW": "2"}}`)
		p.Alert.Severity = severity
		columns := p.Settings.(*ConfigSettings).columns(p)
		if got := columns["urgency"] + "/" + columns["impact"]; got != both {
			t.Errorf("%s is %s, want %s", severity, got, both)
		}
	}
}

// TestLostAnswer: the record of an attempt whose answer was lost is found, and not
// made twice.
func TestLostAnswer(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	s.i.Play(fake.Step{Path: incident, Apply: true, Reset: true})
	p := parcel(t, `{}`)
	s.deliver(t, p, dispatch.OutcomeUncertain)
	p.Attempt = 2
	ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref()
	if all := s.i.Records("incident"); len(all) != 1 || all[0].Columns["sys_id"] != ref.ID {
		t.Errorf("%d records, ref %+v", len(all), ref)
	}
}

// TestConditionNotUnderstood: an instance leaves out a condition that it does not
// understand; a record of somebody else is not taken for ours.
func TestConditionNotUnderstood(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	foreign := `{"result":[{"sys_id":"aaaabbbbccccddddeeeeffff00001111","number":"INC1","state":"2","sys_class_name":"incident"}]}`
	s.i.Play(fake.Step{Path: incident, Status: 200, Headers: map[string]string{"X-Total-Count": "1"}, Body: foreign})
	p := parcel(t, `{}`)
	p.Attempt = 2
	if ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref(); ref.ID == "aaaabbbbccccddddeeeeffff00001111" || len(s.i.Records("incident")) != 1 {
		t.Errorf("ref %+v", ref)
	}
}

// TestFollowUp: a further alert is a work note of the same record, written once
// where the journal can be read.
func TestFollowUp(t *testing.T) {
	for name, o := range map[string]instance.Options{"journal": {}, "no journal": {NoJournal: true}} {
		t.Run(name, func(t *testing.T) {
			s := staged(t, o, "")
			p := parcel(t, `{}`)
			made := s.deliver(t, p, dispatch.OutcomeDelivered).Ref()
			s.i.SetState(made.ID, "2", "beth.anglin")
			p.DeliveryID, p.Link = "dlv_2", &dispatch.TicketLink{ExternalID: made.ID, Data: made.Data}
			s.i.Play(fake.Step{Path: incident + "/" + made.ID, Apply: true, Reset: true})
			s.deliver(t, p, dispatch.OutcomeUncertain)
			p.Attempt = 2
			ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref()
			if ref.ID != made.ID || ref.Shows != dispatch.TicketAcknowledged || len(s.i.Records("incident")) != 1 {
				t.Errorf("ref %+v", ref)
			}
			want := map[bool]int{false: 1, true: 2}[o.NoJournal]
			notes := s.i.Notes(made.ID)
			if len(notes) != want || !strings.Contains(notes[0].Text, p.Alert.Summary) {
				t.Errorf("notes %+v, want %d", notes, want)
			}
		})
	}
}

// TestFollowUpOfNothing: where the record was deleted, an alert makes another.
func TestFollowUpOfNothing(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	p := parcel(t, `{}`)
	made := s.deliver(t, p, dispatch.OutcomeDelivered).Ref()
	s.i.Delete(made.ID)
	p.DeliveryID, p.Link = "dlv_2", &dispatch.TicketLink{ExternalID: made.ID, Data: made.Data}
	if ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref(); ref.ID == made.ID || len(s.i.Records("incident")) != 1 {
		t.Errorf("ref %+v", ref)
	}
}

// TestWithoutFollowing: without updates nothing follows, without work notes none
// are written.
func TestWithoutFollowing(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	p := parcel(t, `{"updates": false, "workNotes": false}`)
	made := s.deliver(t, p, dispatch.OutcomeDelivered).Ref()
	p.DeliveryID, p.Link = "dlv_2", &dispatch.TicketLink{ExternalID: made.ID, Data: made.Data}
	if ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref(); !ref.Loose || ref.ID != made.ID || s.writes() != 1 {
		t.Errorf("ref %+v after %d writes", ref, s.writes())
	}
}

// TestDropped: what the instance did not keep is said on the ledger.
func TestDropped(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	out := s.deliver(t, parcel(t, `{"assignmentGroup": "No such group", "category": "network", "fields": {"u_source": "siem"}}`), dispatch.OutcomeDelivered)
	if !strings.Contains(out.Note(), "did not keep assignment_group, u_source of INC") {
		t.Errorf("note %q", out.Note())
	}
}

// TestTestMessage says what it is.
func TestTestMessage(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	p := parcel(t, `{}`)
	p.Test = true
	s.deliver(t, p, dispatch.OutcomeDelivered)
	if got := s.i.Records("incident")[0].Columns["short_description"]; !strings.HasPrefix(got, "[Test message of Tocsin] jdoe") {
		t.Errorf("title %q", got)
	}
}

// TestConfigRefused: what cannot be sent is refused by its name, before any call.
func TestConfigRefused(t *testing.T) {
	for config, field := range map[string]string{
		`{"table": "incident/../sys_user"}`:          "settings.table",
		`{"closeState": "Resolved"}`:                 "settings.closeState",
		`{"urgency": {"SEVERE": "1"}}`:               "settings.urgency",
		`{"fields": {"sys_id": "1"}}`:                "settings.fields",
		`{"fields": {"correlation_id": "1"}}`:        "settings.fields",
		`{"fields": {"state^ORpriority=1": "open"}}`: "settings.fields",
	} {
		s := staged(t, instance.Options{}, "")
		out := s.deliver(t, parcel(t, config), dispatch.OutcomeRefused)
		if !strings.Contains(out.Err().Error(), field) || len(s.i.Requests.All()) > 0 {
			t.Errorf("%s: %v after %d requests", config, out.Err(), len(s.i.Requests.All()))
		}
	}
}

// TestQueryInjection: an id that would begin another condition is not asked for.
func TestQueryInjection(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	p := parcel(t, `{}`)
	p.DeliveryID, p.Attempt = "dlv_1^ORactive=true", 2
	s.deliver(t, p, dispatch.OutcomeRefused)
	p = parcel(t, `{}`)
	p.Link = &dispatch.TicketLink{ExternalID: "x^ORactive=true"}
	s.deliver(t, p, dispatch.OutcomeRefused)
	changes, _ := s.Ask(t.Context(), []dispatch.TicketLink{*p.Link})
	if len(changes) > 0 || len(s.i.Requests.All()) > 0 {
		t.Errorf("%d changes after %d requests", len(changes), len(s.i.Requests.All()))
	}
}
