package peplink

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	incontrol "tocsin/fake/peplink"
)

const (
	allowed   = `, "allowBlock": true`
	listsPath = "/rest/o/aBcDeF/g/3/grouped_mac"
	foreign   = "02:00:5E:10:00:99"
	ours      = "02:00:5E:10:00:42"
)

func blocking() *ConfigSettings {
	return &ConfigSettings{Operation: opBlock, Client: mac, Group: "3", ACLID: "12"}
}

func (s stage) wantList(t *testing.T, want ...string) {
	t.Helper()
	if got := s.c.List(3, 12); !slices.Equal(got, want) {
		t.Errorf("the list has %v, want %v", got, want)
	}
}

// closed is the update of a closed ticket whose client was blocked.
func closed(ref dispatch.Ref) dispatch.StatusUpdate {
	word := ref.Word
	return dispatch.StatusUpdate{
		Ticket: dispatch.Ticket{Status: dispatch.TicketClosed}, Settings: blocking(),
		Link: dispatch.TicketLink{ExternalID: ref.ID, Data: ref.Data, ExternalStatus: &word},
	}
}

// TestBlock: the client is on the list beside who was there, by whatever name
// the alert has, and is off it when the ticket is closed.
func TestBlock(t *testing.T) {
	for _, name := range []string{mac, "02005E100042", "192.0.2.42", "WS-0142"} {
		s := staged(t, incontrol.Options{}, allowed)
		config := blocking()
		config.Client = name
		out := s.deliver(t, parcel(config), dispatch.OutcomeDelivered)
		s.wantList(t, foreign, ours)
		if ref := out.Ref(); ref.ID != "12/"+mac || ref.Loose || ref.Word != "blocked" || !strings.Contains(out.Note(), mac+" on access list dispatch-deny (12) was blocked") {
			t.Errorf("%s: ref %+v, the ledger says %q", name, ref, out.Note())
		}
		off := s.Update(t.Context(), closed(out.Ref()))
		if off.Kind() != dispatch.OutcomeDelivered || off.Ref().Word != "released" || !strings.Contains(off.Note(), "was taken off") {
			t.Errorf("%s: %s (%v), the ledger says %q", name, off.Kind(), off.Err(), off.Note())
		}
		s.wantList(t, foreign)
		if again := s.Update(t.Context(), closed(out.Ref())); again.Kind() != dispatch.OutcomeDelivered || again.Note() != "" {
			t.Errorf("%s: a repeat: %s (%v) %q", name, again.Kind(), again.Err(), again.Note())
		}
		if writes := s.requests(http.MethodPut); len(writes) != 2 || writes[0] != `3/grouped_mac {"id":12,"name":"dispatch-deny","address":["`+foreign+`","`+ours+`"]}` {
			t.Errorf("%s: writes %v", name, writes)
		}
	}
}

// TestBlockLast: the list that is empty when the last one leaves is written as a list.
func TestBlockLast(t *testing.T) {
	s := staged(t, incontrol.Options{}, allowed)
	s.c.SetList(3, incontrol.List{ID: 12, Name: "dispatch-deny"})
	out := s.deliver(t, parcel(blocking()), dispatch.OutcomeDelivered)
	if off := s.Update(t.Context(), closed(out.Ref())); off.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("%s (%v)", off.Kind(), off.Err())
	}
	s.wantList(t)
}

// TestBlockNotAllowed: without the consent of the actor nothing is asked.
func TestBlockNotAllowed(t *testing.T) {
	s := staged(t, incontrol.Options{}, "")
	out := s.deliver(t, parcel(blocking()), dispatch.OutcomeRefused)
	off := s.Update(t.Context(), closed(dispatch.Ref{ID: "12/" + mac, Data: map[string]string{dataGroup: "3", dataList: "12", dataMAC: mac}}))
	for _, out := range []dispatch.Outcome{out, off} {
		if out.Kind() != dispatch.OutcomeRefused || !strings.Contains(out.Err().Error(), "settings.allowBlock") || len(s.c.Requests.All()) > 0 {
			t.Errorf("%v after %d requests", out.Err(), len(s.c.Requests.All()))
		}
	}
}

// TestBlockRefused: what names no single client or no list is refused by its
// field, and nothing is written.
func TestBlockRefused(t *testing.T) {
	for name, row := range map[string]struct {
		change func(c *ConfigSettings)
		says   string
	}{
		"no list":       {func(c *ConfigSettings) { c.ACLID = "" }, "settings.aclId"},
		"other list":    {func(c *ConfigSettings) { c.ACLID = "13" }, "settings.aclId names 13"},
		"no group":      {func(c *ConfigSettings) { c.Group = "" }, "settings.group is empty"},
		"no client":     {func(c *ConfigSettings) { c.Client = " " }, "settings.client is empty"},
		"unknown":       {func(c *ConfigSettings) { c.Client = "jdoe" }, "0 clients are that where one is wanted: none; 1 devices did not tell"},
		"everybody":     {func(c *ConfigSettings) { c.Client = "ff:ff:ff:ff:ff:ff" }, "no single client"},
		"a group":       {func(c *ConfigSettings) { c.Client = "01:00:5e:00:00:01" }, "no single client"},
		"nobody":        {func(c *ConfigSettings) { c.Client = "000000000000" }, "no single client"},
		"two of a name": {func(c *ConfigSettings) { c.Client, c.Group = "TWIN", "6" }, "2 clients are that"},
	} {
		s := staged(t, incontrol.Options{}, allowed)
		s.c.AddGroup(6, "Twins", incontrol.Device{ID: 1501, Clients: []incontrol.Client{{Name: "twin", MAC: ours}, {Name: "TWIN", MAC: foreign}}})
		config := blocking()
		row.change(config)
		out := s.deliver(t, parcel(config), dispatch.OutcomeRefused)
		if !strings.Contains(out.Err().Error(), row.says) || len(s.requests(http.MethodPut)) > 0 {
			t.Errorf("%s: %v", name, out.Err())
		}
	}
}

// TestBlockRepeat: a repeat after a lost answer writes nothing twice and keeps
// the copy, for it was our own write.
func TestBlockRepeat(t *testing.T) {
	s := staged(t, incontrol.Options{}, allowed)
	p := parcel(blocking())
	s.c.Play(fake.Step{}, fake.Step{}, fake.Step{Path: listsPath, Apply: true, Reset: true}) // the grant, the read and the write
	s.deliver(t, p, dispatch.OutcomeUncertain)
	if blocking().OnUncertain() != dispatch.Resend {
		t.Error("a block that does no harm twice is to be sent again")
	}
	p.Attempt = 2
	if ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref(); ref.ID != "12/"+mac || ref.Loose {
		t.Errorf("ref %+v", ref)
	}
	s.wantList(t, foreign, ours)
	if got := len(s.requests(http.MethodPut)); got != 1 {
		t.Errorf("%d writes, want 1", got)
	}
	p.Attempt, p.Link = 1, &dispatch.TicketLink{ExternalID: "12/" + mac}
	if ref := s.deliver(t, p, dispatch.OutcomeDelivered).Ref(); ref.Loose {
		t.Error("another alert of the ticket lost the copy")
	}
}

// TestBlockedBefore: whom somebody else has blocked is not ours to let in again.
func TestBlockedBefore(t *testing.T) {
	s := staged(t, incontrol.Options{}, allowed)
	config := blocking()
	config.Client = strings.ToLower(foreign)
	out := s.deliver(t, parcel(config), dispatch.OutcomeDelivered)
	if !out.Ref().Loose || !strings.Contains(out.Note(), "was blocked before; it stays so") {
		t.Errorf("ref %+v, the ledger says %q", out.Ref(), out.Note())
	}
	s.wantList(t, foreign)
}

// TestBlockTogether: many at once all get onto the list, though each write
// replaces it.
func TestBlockTogether(t *testing.T) {
	s := staged(t, incontrol.Options{}, allowed)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			config := blocking()
			config.Client = fmt.Sprintf("02:00:5e:20:00:%02x", n)
			s.Deliver(t.Context(), parcel(config))
		})
	}
	all.Wait()
	if got := s.c.List(3, 12); len(got) != 9 {
		t.Errorf("the list has %v", got)
	}
}

// TestReadBack: a write that is said to have succeeded and shows no effect has not.
func TestReadBack(t *testing.T) {
	s := staged(t, incontrol.Options{Frozen: true}, allowed)
	out := s.deliver(t, parcel(blocking()), dispatch.OutcomeDeferred)
	if !strings.Contains(out.Err().Error(), "did not show the change when it was read back") {
		t.Error(out.Err())
	}
}

// TestUpdate: only a close calls InControl; a list that is gone ends the copy; a
// missing right is said.
func TestUpdate(t *testing.T) {
	s := staged(t, incontrol.Options{}, allowed)
	ref := s.deliver(t, parcel(blocking()), dispatch.OutcomeDelivered).Ref()
	before := len(s.c.Requests.All())
	for _, status := range []dispatch.TicketStatus{dispatch.TicketOpen, dispatch.TicketAcknowledged} {
		u := closed(ref)
		u.Ticket.Status = status
		if out := s.Update(t.Context(), u); out.Kind() != dispatch.OutcomeDelivered || out.Note() != "" {
			t.Errorf("%s: %s (%v) %q", status, out.Kind(), out.Err(), out.Note())
		}
	}
	if got := len(s.c.Requests.All()); got != before {
		t.Errorf("%d calls for what is no close", got-before)
	}
	reopened := closed(dispatch.Ref{ID: ref.ID, Data: ref.Data, Word: released})
	reopened.Ticket.Status = dispatch.TicketOpen
	if out := s.Update(t.Context(), reopened); !strings.Contains(out.Note(), "is not blocked any more") {
		t.Errorf("a ticket that is opened again says %q", out.Note())
	}
	s.c.Play(fake.Step{Path: listsPath, Status: 403, Body: `{"resp_code":"NO_PRIVILEGE"}`})
	if out := s.Update(t.Context(), closed(ref)); out.Kind() != dispatch.OutcomeRefused || out.IsGone() {
		t.Errorf("a missing right: %s (%v)", out.Kind(), out.Err())
	}
	s.c.DropList(3, 12)
	if out := s.Update(t.Context(), closed(ref)); out.Kind() != dispatch.OutcomeRefused || !out.IsGone() {
		t.Errorf("a list that is gone: %s (%v)", out.Kind(), out.Err())
	}
}
