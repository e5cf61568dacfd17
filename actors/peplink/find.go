package peplink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"tocsin/dispatch"
)

// How many groups and devices are looked at for one alert; each is a call.
const (
	maxGroups  = 20
	maxDevices = 20
)

type group struct {
	ID   number
	Name string
}

type device struct {
	ID     number
	SN     string
	Name   string
	Status string
	FwVer  string `json:"fw_ver"`

	ProductName string `json:"product_name"`

	group string // the id of the group that it was found in
}

func (d device) is(text string) bool {
	return d.ID.String() == text || strings.EqualFold(d.SN, text) || strings.EqualFold(d.Name, text)
}

func (d device) named() string {
	return fmt.Sprintf("%s (%s, device %s of group %s)", line(d.Name), line(d.SN), d.ID, d.group)
}

// client is what a router tells of one in its status.client.
type client struct {
	IP     string
	MAC    string
	Name   string
	SSID   string
	Active bool
	VLANID number `json:"vlanId"`

	ConnectionType string

	device device // that told of it
}

// groups are the ids of those that an API config names: one, or all when it
// names none and they are few.
func (m *messenger) groups(ctx context.Context, name string) ([]string, dispatch.Outcome) {
	if numberForm.MatchString(name) {
		return []string{name}, dispatch.Delivered(dispatch.Ref{})
	}
	var list []group
	out := m.ask(ctx, m.place("g"), &list)
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	var ids, names []string
	for _, g := range list {
		names = append(names, line(g.Name)+" ("+g.ID.String()+")")
		if name == "" || strings.EqualFold(g.Name, name) {
			ids = append(ids, g.ID.String())
		}
	}
	switch {
	case name != "" && len(ids) != 1:
		return nil, dispatch.Refused(fmt.Errorf("settings.group gave %q, and %d groups have that name; there are %s", line(name), len(ids), some(names))).Over(out.Exchange())
	case len(ids) > maxGroups:
		return nil, dispatch.Refused(fmt.Errorf("settings.group is empty, and the organization has %d groups, which is too many to look in all; name one", len(ids))).Over(out.Exchange())
	default:
		return ids, out
	}
}

// devices are those of the groups, or the ones that a text names.
func (m *messenger) devices(ctx context.Context, groups []string, name string) ([]device, dispatch.Outcome) {
	var found []device
	out := dispatch.Delivered(dispatch.Ref{})
	for _, g := range groups {
		var list []device
		if out = m.ask(ctx, m.place("g", g, "d"), &list); out.Kind() != dispatch.OutcomeDelivered {
			return nil, out
		}
		for _, d := range list {
			if name == "" || d.is(name) {
				d.group = g
				found = append(found, d)
			}
		}
	}
	return found, out
}

// theDevice is the one that a text names, or a refusal that says which it could be.
func (m *messenger) theDevice(ctx context.Context, s *ConfigSettings) (device, dispatch.Outcome) {
	if s.Device == "" {
		return device{}, dispatch.Refused(errors.New("settings.device is empty for this alert; check where the alert names the device"))
	}
	groups, out := m.groups(ctx, s.Group)
	if out.Kind() != dispatch.OutcomeDelivered {
		return device{}, out
	}
	found, out := m.devices(ctx, groups, s.Device)
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return device{}, out
	case len(found) != 1:
		var names []string
		for _, d := range found {
			names = append(names, d.named())
		}
		return device{}, dispatch.Refused(fmt.Errorf("settings.device gave %q, and %d devices are that where one is wanted: %s", line(s.Device), len(found), some(names))).Over(out.Exchange())
	default:
		return found[0], out
	}
}

// clients are those of the devices that a text names. Mute are the devices that
// told of none, because they are off, did not answer or were too many.
func (m *messenger) clients(ctx context.Context, devices []device, name string) (found []client, mute int, out dispatch.Outcome) {
	out = dispatch.Delivered(dispatch.Ref{})
	asked := 0
	for _, d := range devices {
		if asked == maxDevices || d.Status != "" && d.Status != "online" {
			mute++
			continue
		}
		asked++
		list, answer := m.clientsOf(ctx, d)
		switch answer.Kind() {
		case dispatch.OutcomeDelivered:
			out = answer
		case dispatch.OutcomeRefused:
			mute++
		default:
			return nil, 0, answer
		}
		for _, c := range list {
			if c.is(name) {
				c.device = d
				found = append(found, c)
			}
		}
	}
	return found, mute, out
}

// clientsOf asks a router through InControl, which wraps its answer in data: that
// it does so is inferred.
func (m *messenger) clientsOf(ctx context.Context, d device) ([]client, dispatch.Outcome) {
	var answer struct {
		Stat     string
		Message  string
		Response struct{ List []client }
	}
	out := m.ask(ctx, m.place("g", d.group, "d", d.ID.String(), "devapi", "status.client"), &answer)
	if out.Kind() == dispatch.OutcomeDelivered && answer.Stat != "ok" {
		return nil, dispatch.Refused(fmt.Errorf("the device %s did not tell its clients: %s", d.named(), line(answer.Message))).Over(out.Exchange())
	}
	return answer.Response.List, out
}

// is tells whether a text names the client by MAC or IP address or by name.
func (c client) is(text string) bool {
	if mac := macOf(text); mac != "" {
		return macOf(c.MAC) == mac
	}
	if ip, err := netip.ParseAddr(text); err == nil {
		own, err := netip.ParseAddr(c.IP)
		return err == nil && own.Unmap() == ip.Unmap()
	}
	return text != "" && strings.EqualFold(c.Name, text)
}

func (c client) named() string {
	return fmt.Sprintf("%s (%s, %s)", line(c.Name), line(c.MAC), line(c.IP))
}

// macOf is a MAC address in lower case with colons, in whatever form it is
// written; "" for any other text.
func macOf(text string) string {
	if bare, err := hex.DecodeString(text); err == nil && len(bare) == 6 {
		return net.HardwareAddr(bare).String()
	}
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		return ""
	}
	return mac.String()
}
