package peplink

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	incontrol "tocsin/fake/peplink"
)

// TestEnrich: the ticket is told where the client is and what the event log says
// of it, newest first, and nothing follows.
func TestEnrich(t *testing.T) {
	for _, name := range []string{"02:00:5E:10:00:42", "02-00-5e-10-00-42", "0200.5e10.0042", "02005E100042", "192.0.2.42", "::ffff:192.0.2.42", "ws-0142"} {
		s := staged(t, incontrol.Options{}, "")
		s.c.AddEvent(3, incontrol.Event{TS: "2026-01-15T09:00:00", DeviceID: 1201, SSID: "Office", ClientName: "WS-0142", Detail: "Associated"})
		s.c.AddEvent(3, incontrol.Event{TS: "2026-01-15T09:30:00", DeviceID: 1201, Type: "Security", Detail: "Client 02:00:5E:10:00:42 was\nthrottled."})
		s.c.AddEvent(3, incontrol.Event{DeviceID: 1201, ClientName: "WS-0004", Detail: "192.0.2.4 joined beside 192.0.2.421"})
		out := s.deliver(t, parcel(&ConfigSettings{Operation: opEnrich, Client: name, Group: "branches", EventLines: 10}), dispatch.OutcomeDelivered)
		want := "InControl: client WS-0142 (02:00:5E:10:00:42, 192.0.2.42) is active, wireless at branch-01 (2930-1111-2222, device 1201 of group 3), VLAN 100\n" +
			"InControl: 1 devices did not tell their clients\n" +
			"2026-01-15T09:30:00 · branch-01 · Security · Client 02:00:5E:10:00:42 was throttled.\n" +
			"2026-01-15T09:00:00 · branch-01 · Client · Office · WS-0142 · Associated"
		if out.Note() != want || !out.Ref().Loose {
			t.Errorf("%s: the ledger says\n%s\nref %+v", name, out.Note(), out.Ref())
		}
	}
}

// TestEnrichLines keeps to the number of lines that is wanted, and to the size of a note.
func TestEnrichLines(t *testing.T) {
	s := staged(t, incontrol.Options{}, "")
	for n := range 60 {
		s.c.AddEvent(3, incontrol.Event{TS: fmt.Sprintf("2026-01-15T09:%02d:00", n), DeviceID: 1202, Detail: strings.Repeat("long ", 100)})
	}
	out := s.deliver(t, parcel(&ConfigSettings{Operation: opEnrich, Group: "3", Device: "2930-1111-3333", EventLines: 5}), dispatch.OutcomeDelivered)
	lines := strings.Split(out.Note(), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[0], "InControl: device branch-02 (2930-1111-3333, device 1202 of group 3) is offline, Balance 20X with firmware 8.5.1") ||
		!strings.HasPrefix(lines[1], "2026-01-15T09:59:00") || len(lines[1]) > 300 {
		t.Errorf("the ledger says\n%s", out.Note())
	}
}

// TestEnrichNothing: what is not known is told as such, and a device that does
// not answer holds nothing up.
func TestEnrichNothing(t *testing.T) {
	s := staged(t, incontrol.Options{}, "")
	s.c.AddGroup(5, "Mute", incontrol.Device{ID: 1401, Name: "mute-01", Mute: true})
	out := s.deliver(t, parcel(&ConfigSettings{Operation: opEnrich, Client: "203.0.113.9", EventLines: 5}), dispatch.OutcomeDelivered)
	if out.Note() != "InControl: no client 203.0.113.9 at 4 devices\nInControl: 2 devices did not tell their clients" {
		t.Errorf("the ledger says %q", out.Note())
	}
	out = s.deliver(t, parcel(&ConfigSettings{Operation: opEnrich, Device: "elsewhere", EventLines: 5}), dispatch.OutcomeDelivered)
	if out.Note() != "InControl: no device elsewhere" {
		t.Errorf("the ledger says %q", out.Note())
	}
	s.deliver(t, parcel(&ConfigSettings{Operation: opEnrich, Client: " ", EventLines: 5}), dispatch.OutcomeRefused)
	if got := len(s.requests(http.MethodPut)) + len(s.requests(http.MethodPost)); got > 0 {
		t.Errorf("%d writes", got)
	}
}

// TestGroup: a group is named by id or name, and without one only a small
// organization is searched.
func TestGroup(t *testing.T) {
	s := staged(t, incontrol.Options{}, "")
	out := s.deliver(t, parcel(&ConfigSettings{Operation: opEnrich, Client: mac, Group: "elsewhere"}), dispatch.OutcomeRefused)
	if !strings.Contains(out.Err().Error(), "Branches (3), Labs (4)") {
		t.Error(out.Err())
	}
	out = s.deliver(t, parcel(&ConfigSettings{Operation: opEnrich, Client: mac, Group: "999"}), dispatch.OutcomeRefused)
	if !strings.Contains(out.Err().Error(), "INVALID_INPUT Invalid group") {
		t.Errorf("a failure in an answer of 200: %v", out.Err())
	}
	for n := range 20 {
		s.c.AddGroup(100+n, fmt.Sprintf("Group %d", n))
	}
	out = s.deliver(t, parcel(&ConfigSettings{Operation: opEnrich, Client: mac}), dispatch.OutcomeRefused)
	if !strings.Contains(out.Err().Error(), "settings.group is empty, and the organization has 22 groups") {
		t.Error(out.Err())
	}
}

// TestManyDevices: no more devices are asked than a delivery has time for, and
// the ticket is told.
func TestManyDevices(t *testing.T) {
	s := staged(t, incontrol.Options{}, "")
	var many []incontrol.Device
	for n := range 25 {
		many = append(many, incontrol.Device{ID: 2000 + n})
	}
	s.c.AddGroup(7, "Many", many...)
	out := s.deliver(t, parcel(&ConfigSettings{Operation: opEnrich, Client: mac, Group: "7"}), dispatch.OutcomeDelivered)
	if got := len(s.requests(http.MethodGet)); got != 22 || !strings.Contains(out.Note(), "5 devices did not tell") {
		t.Errorf("%d calls; the ledger says %q", got, out.Note())
	}
}

// TestEnrichLater: what passes is tried again later and said of no device.
func TestEnrichLater(t *testing.T) {
	s := staged(t, incontrol.Options{}, "")
	s.c.Play(fake.Step{Path: "/rest/o/aBcDeF/g/3/d/1201/devapi/status.client", Status: 429, Headers: map[string]string{"Retry-After": "7"}})
	if out := s.deliver(t, parcel(enriching), dispatch.OutcomeDeferred); out.Wait().Seconds() != 7 {
		t.Errorf("waits %v", out.Wait())
	}
}

// TestMentions finds whole names alone.
func TestMentions(t *testing.T) {
	for text, want := range map[string]bool{
		"192.0.2.4": true, "from 192.0.2.4.": true, "[192.0.2.4]:80": true, "192.0.2.4:80": false,
		"192.0.2.42": false, "1192.0.2.4": false, "192.0.2.42 and 192.0.2.4": true, "": false,
	} {
		if got := mentions(text, "192.0.2.4"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
