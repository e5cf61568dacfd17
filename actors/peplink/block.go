package peplink

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tocsin/dispatch"
)

// list is a MAC access list of a group. A write replaces it whole. That GET of
// the same path reads them all, and that the body is not wrapped, is inferred.
type list struct {
	ID      number   `json:"id"`
	Name    string   `json:"name"`
	Address []string `json:"address"`
}

func (l list) holds(mac string) bool {
	return slices.ContainsFunc(l.Address, func(a string) bool { return macOf(a) == mac })
}

// What a link keeps of a block, and its words.
const (
	dataGroup = "group"
	dataList  = "acl"
	dataMAC   = "mac"
	blocked   = "blocked"
	released  = "released"
)

var errNoBlock = errors.New("block is not allowed: a person must turn settings.allowBlock of the actor on")

// block puts a client on an access list, unless it is on it.
func (m *messenger) block(ctx context.Context, s *ConfigSettings, p dispatch.Parcel) dispatch.Outcome {
	if err := m.mayBlock(s); err != nil {
		return dispatch.Refused(err)
	}
	groups, out := m.groups(ctx, s.Group)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	mac, out := m.theMAC(ctx, s, groups)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	leave, err := m.lists.enter(ctx, s.ACLID)
	if err != nil {
		return dispatch.Deferred(err)
	}
	defer leave()
	return m.add(ctx, groups[0], s.ACLID, mac, p)
}

// mayBlock says why an API config may not block; nil when it may.
func (m *messenger) mayBlock(s *ConfigSettings) error {
	switch {
	case !m.settings.AllowBlock:
		return errNoBlock
	case !numberForm.MatchString(s.ACLID):
		return errors.New("settings.aclId is not the id of an access list, which is a number; make a MAC access list in InControl and give its id")
	case s.Group == "":
		return errors.New("settings.group is empty; block needs the group that has the access list")
	case s.Client == "":
		return errors.New("settings.client is empty for this alert; check where the alert names the client")
	default:
		return nil
	}
}

// theMAC is the MAC address of the client, which is looked for when the alert
// names it otherwise. Exactly one must be meant.
func (m *messenger) theMAC(ctx context.Context, s *ConfigSettings, groups []string) (string, dispatch.Outcome) {
	if mac := macOf(s.Client); mac != "" {
		return single(mac)
	}
	devices, out := m.devices(ctx, groups, s.Device)
	if out.Kind() != dispatch.OutcomeDelivered {
		return "", out
	}
	clients, mute, out := m.clients(ctx, devices, s.Client)
	if out.Kind() != dispatch.OutcomeDelivered {
		return "", out
	}
	var macs, names []string
	for _, c := range clients {
		if mac := macOf(c.MAC); mac != "" && !slices.Contains(macs, mac) {
			macs, names = append(macs, mac), append(names, c.named())
		}
	}
	if len(macs) != 1 {
		return "", dispatch.Refused(fmt.Errorf("settings.client gave %q, and %d clients are that where one is wanted: %s; %d devices did not tell their clients",
			line(s.Client), len(macs), some(names), mute)).Over(out.Exchange())
	}
	return single(macs[0])
}

// single lets only addresses through that belong to one client: not those of all or of a group.
func single(mac string) (string, dispatch.Outcome) {
	if strings.ContainsRune("13579bdf", rune(mac[1])) || mac == "00:00:00:00:00:00" {
		return "", dispatch.Refused(fmt.Errorf("settings.client gave %s, which is the address of no single client", mac))
	}
	return mac, dispatch.Delivered(dispatch.Ref{})
}

// add reads, writes and reads back. A client that is on the list before the first
// attempt was put there by somebody else, and is not ours to take off.
func (m *messenger) add(ctx context.Context, group, id, mac string, p dispatch.Parcel) dispatch.Outcome {
	l, out := m.readList(ctx, group, id)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if l.ID == "" {
		return noList(group, id, out)
	}
	ref := dispatch.Ref{ID: id + "/" + mac, Word: blocked, Data: map[string]string{dataGroup: group, dataList: id, dataMAC: mac}}
	name := mac + " on access list " + line(l.Name) + " (" + id + ")"
	isOurs := p.Attempt > 1 || p.Link != nil && p.Link.ExternalID == ref.ID
	switch {
	case p.Test:
		return found(out, "An alert would block "+name+". Nothing was changed.")
	case l.holds(mac) && !isOurs:
		ref.Loose = true
		return dispatch.Delivered(ref).Over(out.Exchange()).Noting("InControl: " + name + " was blocked before; it stays so when this ticket is closed")
	case l.holds(mac):
		return dispatch.Delivered(ref).Over(out.Exchange()).Noting("InControl: " + name + " is blocked")
	}
	l.Address = append(slices.Clone(l.Address), strings.ToUpper(mac))
	if out = m.write(ctx, group, l, func(now list) bool { return now.holds(mac) }); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	return dispatch.Delivered(ref).Over(out.Exchange()).Noting("InControl: " + name + " was blocked")
}

// Update takes the client off the list again when the ticket is closed. Another
// status changes nothing: a ticket that is opened again blocks nobody by itself.
func (m *messenger) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	data := u.Link.Data
	if data[dataMAC] == "" {
		return dispatch.Delivered(dispatch.Ref{})
	}
	if u.Ticket.Status != dispatch.TicketClosed {
		out := dispatch.Delivered(dispatch.Ref{})
		if u.Link.ExternalStatus != nil && *u.Link.ExternalStatus == released {
			out = out.Noting("InControl: " + data[dataMAC] + " is not blocked any more; a new alert blocks it again")
		}
		return out
	}
	if !m.settings.AllowBlock {
		return dispatch.Refused(errNoBlock)
	}
	leave, err := m.lists.enter(ctx, data[dataList])
	if err != nil {
		return dispatch.Deferred(err)
	}
	defer leave()
	return m.remove(ctx, data[dataGroup], data[dataList], data[dataMAC])
}

func (m *messenger) remove(ctx context.Context, group, id, mac string) dispatch.Outcome {
	l, out := m.readList(ctx, group, id)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if l.ID == "" {
		return noList(group, id, out).Gone()
	}
	ref := dispatch.Ref{Word: released}
	if !l.holds(mac) {
		return dispatch.Delivered(ref).Over(out.Exchange())
	}
	l.Address = slices.DeleteFunc(slices.Clone(l.Address), func(a string) bool { return macOf(a) == mac })
	if out = m.write(ctx, group, l, func(now list) bool { return !now.holds(mac) }); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	return dispatch.Delivered(ref).Over(out.Exchange()).Noting("InControl: " + mac + " was taken off access list " + line(l.Name) + " (" + id + ")")
}

// readList finds an access list among those of a group; one without an id is not there.
func (m *messenger) readList(ctx context.Context, group, id string) (list, dispatch.Outcome) {
	var all []list
	out := m.ask(ctx, m.place("g", group, "grouped_mac"), &all)
	if out.Kind() != dispatch.OutcomeDelivered {
		return list{}, out
	}
	for _, l := range all {
		if l.ID.String() == id {
			return l, out
		}
	}
	return list{}, out
}

func noList(group, id string, out dispatch.Outcome) dispatch.Outcome {
	return dispatch.Refused(fmt.Errorf("settings.aclId names %s, and the group %s has no such MAC access list; make it in InControl", id, group)).Over(out.Exchange())
}

// write replaces a list and reads it back, for what its answer says is not known for sure.
func (m *messenger) write(ctx context.Context, group string, l list, holds func(now list) bool) dispatch.Outcome {
	if l.Address == nil {
		l.Address = []string{}
	}
	wrote := m.send(ctx, http.MethodPut, m.place("g", group, "grouped_mac"), l, nil)
	if wrote.Kind() != dispatch.OutcomeDelivered {
		return wrote
	}
	now, out := m.readList(ctx, group, l.ID.String())
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case !holds(now):
		return dispatch.Deferred(fmt.Errorf("access list %s did not show the change when it was read back; somebody else may write to it, or InControl wants another form of it", l.ID)).Over(wrote.Exchange())
	default:
		return wrote
	}
}
