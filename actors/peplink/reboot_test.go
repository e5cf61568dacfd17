package peplink

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	incontrol "tocsin/fake/peplink"
)

const (
	rebootable = `, "allowReboot": true`
	rebootPath = "/rest/o/aBcDeF/g/3/d/1201/tools/reboot"
)

func rebooting(device string) *ConfigSettings {
	return &ConfigSettings{Operation: opReboot, Device: device}
}

// TestReboot: the one device is rebooted, and once for a ticket.
func TestReboot(t *testing.T) {
	for _, name := range []string{"1201", "2930-1111-2222", "BRANCH-01"} {
		s := staged(t, incontrol.Options{}, rebootable)
		p := parcel(rebooting(name))
		out := s.deliver(t, p, dispatch.OutcomeDelivered)
		if out.Ref().ID != "reboot/1201" || !strings.Contains(out.Note(), "a reboot of branch-01") {
			t.Errorf("%s: ref %+v, the ledger says %q", name, out.Ref(), out.Note())
		}
		p.Link = &dispatch.TicketLink{ExternalID: out.Ref().ID}
		if again := s.deliver(t, p, dispatch.OutcomeDelivered); !strings.Contains(again.Note(), "is not once more") {
			t.Errorf("%s: the ledger says %q", name, again.Note())
		}
		if out := s.Update(t.Context(), dispatch.StatusUpdate{Ticket: dispatch.Ticket{Status: dispatch.TicketClosed}}); out.Kind() != dispatch.OutcomeDelivered {
			t.Errorf("%s: the close of the ticket: %s (%v)", name, out.Kind(), out.Err())
		}
		if got := s.c.Reboots(); !slices.Equal(got, []int{1201}) {
			t.Errorf("%s: rebooted %v", name, got)
		}
	}
}

// TestRebootRefused: without consent, or when not exactly one device is meant,
// none is rebooted.
func TestRebootRefused(t *testing.T) {
	for name, row := range map[string]struct{ more, device, says string }{
		"not allowed": {"", "1201", "settings.allowReboot"},
		"no device":   {rebootable, " ", "settings.device is empty"},
		"unknown":     {rebootable, "branch", "0 devices are that where one is wanted: none"},
		"two":         {rebootable, "twin", "2 devices are that where one is wanted: twin (2930-4444-6666, device 1302 of group 4), TWIN"},
	} {
		s := staged(t, incontrol.Options{}, row.more)
		out := s.deliver(t, parcel(rebooting(row.device)), dispatch.OutcomeRefused)
		if !strings.Contains(out.Err().Error(), row.says) || len(s.c.Reboots()) > 0 {
			t.Errorf("%s: %v, rebooted %v", name, out.Err(), s.c.Reboots())
		}
	}
}

// TestRebootInDoubt: a reboot that may have been done is not repeated, and one
// that surely was not is tried again.
func TestRebootInDoubt(t *testing.T) {
	for name, row := range map[string]struct {
		step fake.Step
		want dispatch.OutcomeKind
	}{
		"lost answer":         {fake.Step{Apply: true, Reset: true}, dispatch.OutcomeUncertain},
		"done with an error":  {fake.Step{Apply: true, Status: 500}, dispatch.OutcomeUncertain},
		"gateway":             {fake.Step{Status: 502, Body: "<html>"}, dispatch.OutcomeUncertain},
		"answer of no form":   {fake.Step{Apply: true, Status: 200}, dispatch.OutcomeUncertain},
		"page":                {fake.Step{Status: 200, Body: "<html>"}, dispatch.OutcomeMisconfigured},
		"too fast":            {fake.Step{Status: 429}, dispatch.OutcomeDeferred},
		"too fast, old":       {fake.Step{Status: 403, Body: `{"message":"rate limit exceeded"}`}, dispatch.OutcomeDeferred},
		"no right":            {fake.Step{Status: 403, Body: `{"resp_code":"NO_PRIVILEGE"}`}, dispatch.OutcomeRefused},
		"failure in 200":      {fake.Step{Status: 200, Body: `{"resp_code":"INVALID_INPUT"}`}, dispatch.OutcomeRefused},
		"token ended":         {fake.Step{Status: 401}, dispatch.OutcomeDelivered},
		"the way to it broke": {fake.Step{Path: "/rest/o/aBcDeF/g", Reset: true, Times: -1}, dispatch.OutcomeDeferred},
	} {
		s := staged(t, incontrol.Options{}, rebootable)
		if row.step.Path == "" {
			row.step.Path = rebootPath
		}
		s.c.Play(row.step)
		out := s.Deliver(t.Context(), parcel(rebooting("1201")))
		if out.Kind() != row.want || len(s.c.Reboots()) > 1 {
			t.Errorf("%s: %s (%v), want %s; rebooted %v", name, out.Kind(), out.Err(), row.want, s.c.Reboots())
		}
	}
	if Kind().Idempotent || rebooting("1201").OnUncertain() != dispatch.Park {
		t.Error("a reboot in doubt is to wait for a person")
	}
}

// TestTestMessage finds what is meant, says what would be done, and changes nothing.
func TestTestMessage(t *testing.T) {
	for _, config := range []*ConfigSettings{blocking(), rebooting("1201")} {
		s := staged(t, incontrol.Options{}, allowed+rebootable)
		p := parcel(config)
		p.Test = true
		out := s.deliver(t, p, dispatch.OutcomeDelivered)
		if !out.Ref().Loose || !strings.Contains(out.Exchange().Response, "Nothing was changed") ||
			len(s.requests(http.MethodPut)) > 0 || len(s.c.Reboots()) > 0 {
			t.Errorf("%s: ref %+v, answer %q, rebooted %v", config.Operation, out.Ref(), out.Exchange().Response, s.c.Reboots())
		}
	}
}
