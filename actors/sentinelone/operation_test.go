package sentinelone

import (
	"strings"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	console "tocsin/fake/sentinelone"
)

const allowed = `, "dangerous": true`

// TestNoteOnce: a repeat after a lost answer finds its note; another delivery
// writes its own.
func TestNoteOnce(t *testing.T) {
	s := staged(t, console.Options{}, "")
	p, _ := parcel(opNote)
	s.c.Play(fake.Step{Path: base + "/threats/notes", Apply: true, Reset: true})
	s.deliver(t, p, dispatch.OutcomeUncertain)
	s.deliver(t, p, dispatch.OutcomeDelivered)
	if got := len(s.c.Threat(threatID).Notes); got != 1 {
		t.Errorf("%d notes after a repeat, want 1", got)
	}
	p.DeliveryID = "dlv_another"
	s.deliver(t, p, dispatch.OutcomeDelivered)
	if got := len(s.c.Threat(threatID).Notes); got != 2 {
		t.Errorf("%d notes after another delivery, want 2", got)
	}
}

// TestRepeat does no operation twice, and goes on where it failed.
func TestRepeat(t *testing.T) {
	s := staged(t, console.Options{}, allowed)
	p, config := parcel(opNote, opLink, opStatus, opVerdict, opIsolate, opScan, opMitigate, opBlock)
	config.Verdict, config.Mitigation = "true_positive", "kill"
	p.Ticket.Status = dispatch.TicketAcknowledged
	s.c.Play(fake.Step{Path: base + "/agents/actions/initiate-scan", Status: 503})
	out := s.deliver(t, p, dispatch.OutcomeDeferred)
	if !strings.Contains(out.Note(), "disconnect was requested of host WS-0142") || !strings.Contains(out.Note(), "scan failed") {
		t.Errorf("the ledger says %q", out.Note())
	}
	s.deliver(t, p, dispatch.OutcomeDelivered)
	s.deliver(t, p, dispatch.OutcomeDelivered)
	times := map[string]int{}
	for _, w := range s.writes() {
		path, _, _ := strings.Cut(w, " ")
		times[path]++
	}
	for path, want := range map[string]int{
		"/threats/notes": 1, "/threats/external-ticket-id": 1, "/threats/incident": 1, "/threats/analyst-verdict": 1,
		"/agents/actions/disconnect": 1, "/agents/actions/initiate-scan": 2, "/threats/mitigate/kill": 1, "/restrictions": 2,
	} {
		if times[path] != want {
			t.Errorf("%s was asked for %d times, want %d", path, times[path], want)
		}
	}
	if got := s.c.Blocklist(); len(got) != 1 {
		t.Errorf("blocklist %v", got)
	}
}

// TestDangerous: what cuts off, kills or blocks needs the actor's consent.
func TestDangerous(t *testing.T) {
	for _, op := range dangerous {
		s := staged(t, console.Options{}, "")
		p, config := parcel(opNote, op)
		config.Mitigation = "kill"
		out := s.deliver(t, p, dispatch.OutcomeRefused)
		if !strings.Contains(out.Err().Error(), "settings.dangerous") || len(s.c.Requests.All()) > 0 {
			t.Errorf("%s: %v after %d requests", op, out.Err(), len(s.c.Requests.All()))
		}
	}
}

// TestTestMessage finds the target, says what would be done, and writes nothing.
func TestTestMessage(t *testing.T) {
	for _, kind := range []TargetKind{targetThreat, targetName} {
		s := staged(t, console.Options{}, allowed)
		p, config := parcel(opIsolate, opScan)
		config.TargetKind = kind
		if kind == targetName {
			config.Target = "WS-0142"
		}
		p.Test = true
		out := s.deliver(t, p, dispatch.OutcomeDelivered)
		if said := out.Exchange().Response; !strings.Contains(said, "WS-0142") || !strings.Contains(said, "isolate, scan") {
			t.Errorf("%s: said %q", kind, said)
		}
		if got := s.writes(); len(got) > 0 || !out.Ref().Loose {
			t.Errorf("%s: a test wrote %v", kind, got)
		}
	}
}

// TestTarget: what names no threat is refused, and nothing is written.
func TestTarget(t *testing.T) {
	for name, row := range map[string]struct{ target, says string }{
		"empty":       {"", "18 or 19 digits"},
		"name":        {"WS-0142", "18 or 19 digits"},
		"small":       {"42", "18 or 19 digits"},
		"two":         {threatID + "," + numbered(1), "18 or 19 digits"},
		"not visible": {numbered(99), "shows no threat"},
	} {
		s := staged(t, console.Options{}, "")
		p, config := parcel(opNote, opStatus)
		config.Target = row.target
		out := s.deliver(t, p, dispatch.OutcomeRefused)
		if !strings.Contains(out.Err().Error(), row.says) || len(s.writes()) > 0 {
			t.Errorf("%s: %v, wrote %v", name, out.Err(), s.writes())
		}
	}
}

// TestScope: a threat of another site is not looked at.
func TestScope(t *testing.T) {
	s := staged(t, console.Options{}, `, "siteIds": ["1700000000000000999"]`)
	p, _ := parcel(opNote)
	s.deliver(t, p, dispatch.OutcomeRefused)
}

// TestConfigGap: an operation without what it needs is refused by its field.
func TestConfigGap(t *testing.T) {
	for op, field := range map[string]string{
		opVerdict: "settings.verdict", opMitigate: "settings.mitigation", opBlock: "settings.hash", "close": "settings.operations",
	} {
		s := staged(t, console.Options{}, allowed)
		p, config := parcel(op)
		config.Hash = "not-a-hash"
		if out := s.deliver(t, p, dispatch.OutcomeRefused); !strings.Contains(out.Err().Error(), field) {
			t.Errorf("%s: %v does not name %s", op, out.Err(), field)
		}
	}
}
