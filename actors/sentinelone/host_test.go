package sentinelone

import (
	"strings"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	console "tocsin/fake/sentinelone"
)

// TestHost finds exactly one by each of its names, and nobody else.
func TestHost(t *testing.T) {
	for kind, target := range map[TargetKind]string{
		targetUUID: "0F1E2D3C4B5A69788796A5B4C3D2E1F0", targetName: "ws-0142", targetIP: "192.0.2.42", targetMAC: "02-00-5E-10-00-42",
	} {
		s := staged(t, console.Options{}, allowed)
		p, config := parcel(opIsolate)
		config.TargetKind, config.Target = kind, target
		out := s.deliver(t, p, dispatch.OutcomeDelivered)
		if ref := out.Ref(); ref.ID != hostID || !ref.Loose || !strings.Contains(out.Note(), "disconnect was requested of host WS-0142 (agent "+hostID+")") {
			t.Errorf("%s: ref %+v, the ledger says %q", kind, ref, out.Note())
		}
		if got := s.c.Host(hostID).Network; got != "disconnecting" {
			t.Errorf("%s: the host is %s", kind, got)
		}
		if got := s.c.Host("1898765432109876542").Network; got != "connected" {
			t.Errorf("%s: the other host is %s", kind, got)
		}
	}
}

// TestNotOneHost: none or several are refused with those that it could be.
func TestNotOneHost(t *testing.T) {
	for name, row := range map[string]struct {
		kind         TargetKind
		target, says string
	}{
		"none":   {targetIP, "203.0.113.9", "offers none"},
		"part":   {targetName, "WS-014", "WS-0142 (" + hostID + "), WS-01420 (1898765432109876542)"},
		"twins":  {targetName, "TWIN", "2 hosts are exactly"},
		"empty":  {targetName, "", "settings.target is empty"},
		"spaces": {targetName, "  ", "settings.target is empty"},
	} {
		s := staged(t, console.Options{}, allowed)
		s.c.AddHost(console.Host{ID: "1898765432109876551", Name: "TWIN"})
		s.c.AddHost(console.Host{ID: "1898765432109876552", Name: "twin"})
		p, config := parcel(opIsolate)
		config.TargetKind, config.Target = row.kind, row.target
		out := s.deliver(t, p, dispatch.OutcomeRefused)
		if !strings.Contains(out.Err().Error(), row.says) || len(s.writes()) > 0 {
			t.Errorf("%s: %v, wrote %v", name, out.Err(), s.writes())
		}
	}
}

// TestIsolateAndRelease: each is asked for once, however often it is repeated on the way.
func TestIsolateAndRelease(t *testing.T) {
	s := staged(t, console.Options{}, allowed)
	isolate, _ := parcel(opIsolate)
	release, _ := parcel(opRelease)
	for _, step := range []struct {
		p    dispatch.Parcel
		want string
	}{{isolate, "disconnected"}, {release, "connected"}} {
		for range 2 {
			s.deliver(t, step.p, dispatch.OutcomeDelivered)
		}
		s.c.Arrive()
		s.deliver(t, step.p, dispatch.OutcomeDelivered)
		if got := s.c.Host(hostID).Network; got != step.want {
			t.Errorf("the host is %s, want %s", got, step.want)
		}
	}
	if got := len(s.writes()); got != 2 {
		t.Errorf("%d writes, want 2", got)
	}
}

// TestIsolationNotTaken: no effect and no change of the host is a failure that
// names the permission.
func TestIsolationNotTaken(t *testing.T) {
	s := staged(t, console.Options{}, allowed)
	p, _ := parcel(opIsolate)
	s.c.Play(fake.Step{Path: base + "/agents/actions/disconnect", Status: 200, Body: `{"data":{"affected":0}}`})
	out := s.deliver(t, p, dispatch.OutcomeRefused)
	if !strings.Contains(out.Err().Error(), "Endpoints.disconnectFromNetwork") {
		t.Error(out.Err())
	}
}

// TestImpossible: what cannot be done to a target is refused by the field, and
// before what can be.
func TestImpossible(t *testing.T) {
	for kind, row := range map[TargetKind]struct {
		target     string
		operations []string
	}{
		targetName:   {"WS-0142", []string{opIsolate, opNote}},
		targetAlert:  {alertID, []string{opNote, opIsolate}},
		targetThreat: {threatID, []string{opIsolate, "reboot"}},
	} {
		s := staged(t, console.Options{}, allowed)
		p, config := parcel(row.operations...)
		config.TargetKind, config.Target = kind, row.target
		out := s.deliver(t, p, dispatch.OutcomeRefused)
		if !strings.Contains(out.Err().Error(), "settings.operations") || len(s.c.Requests.All()) > 0 {
			t.Errorf("%s: %v after %d requests", kind, out.Err(), len(s.c.Requests.All()))
		}
	}
}
