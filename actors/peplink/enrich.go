package peplink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// maxNote is above what fifty event log lines take that are of a usual length.
const maxNote = 8000

// event is a line of a group's event log.
type event struct {
	TS         string
	DeviceName string `json:"device_name"`
	DeviceID   number `json:"device_id"`
	SSID       string
	ClientName string `json:"client_name"`
	EventType  string `json:"event_type"`
	Detail     string
}

// enrich puts on the ticket what InControl knows. To know nothing is an answer, too.
func (m *messenger) enrich(ctx context.Context, s *ConfigSettings) dispatch.Outcome {
	if s.Client == "" && s.Device == "" {
		return dispatch.Refused(errors.New("settings.client and settings.device are both empty for this alert; check where the alert names them"))
	}
	groups, out := m.groups(ctx, s.Group)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	devices, out := m.devices(ctx, groups, s.Device)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	kept := out.Exchange()
	found, text, out := m.about(ctx, s, devices)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	events, out := m.events(ctx, s, found, devices, groups)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if out.Exchange().HTTPStatus != 0 {
		kept = out.Exchange()
	}
	note := clip.Characters(strings.Join(append(text, events...), "\n"), maxNote)
	return dispatch.Delivered(dispatch.Ref{Loose: true}).Over(kept).Noting(note)
}

// about is what is said of the client and of the device.
func (m *messenger) about(ctx context.Context, s *ConfigSettings, devices []device) ([]client, []string, dispatch.Outcome) {
	var text []string
	if s.Device != "" {
		text = append(text, ofDevices(s.Device, devices)...)
	}
	if s.Client == "" {
		return nil, text, dispatch.Delivered(dispatch.Ref{})
	}
	found, mute, out := m.clients(ctx, devices, s.Client)
	for _, c := range found {
		text = append(text, c.said())
	}
	if len(found) == 0 {
		text = append(text, fmt.Sprintf("InControl: no client %s at %d devices", line(s.Client), len(devices)-mute))
	}
	if mute > 0 {
		text = append(text, fmt.Sprintf("InControl: %d devices did not tell their clients", mute))
	}
	return found, text, out
}

func ofDevices(name string, devices []device) []string {
	if len(devices) == 0 {
		return []string{"InControl: no device " + line(name)}
	}
	var text []string
	for _, d := range devices[:min(len(devices), 10)] {
		text = append(text, fmt.Sprintf("InControl: device %s is %s, %s with firmware %s", d.named(), word(d.Status), word(d.ProductName), word(d.FwVer)))
	}
	return text
}

func (c client) said() string {
	state := "inactive"
	if c.Active {
		state = "active"
	}
	text := fmt.Sprintf("InControl: client %s is %s, %s at %s", c.named(), state, word(c.ConnectionType), c.device.named())
	if c.VLANID != "" {
		text += ", VLAN " + c.VLANID.String()
	}
	if c.SSID != "" {
		text += ", SSID " + line(c.SSID)
	}
	return text
}

func word(text string) string { return cmp.Or(line(text), "unknown") }

// events are the newest lines that speak of a found client, or when no client
// was asked for of the device. No public client shows paging or a filter by
// time, so a log is read once.
func (m *messenger) events(ctx context.Context, s *ConfigSettings, found []client, devices []device, groups []string) ([]string, dispatch.Outcome) {
	var all []event
	out := dispatch.Delivered(dispatch.Ref{})
	for _, g := range concerned(groups, found) {
		var log []event
		if out = m.ask(ctx, m.place("g", g, "event_log"), &log); out.Kind() != dispatch.OutcomeDelivered {
			return nil, out
		}
		for _, e := range log {
			if e.speaksOf(s, found, devices) {
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return strings.Compare(b.TS, a.TS) })
	var lines []string
	for _, e := range all[:min(len(all), max(s.EventLines, 1))] {
		lines = append(lines, e.line())
	}
	return lines, out
}

// concerned are the groups whose logs are read: those of the found clients, or all.
func concerned(groups []string, found []client) []string {
	var out []string
	for _, c := range found {
		if !slices.Contains(out, c.device.group) {
			out = append(out, c.device.group)
		}
	}
	if len(out) == 0 {
		return groups
	}
	return out
}

func (e event) speaksOf(s *ConfigSettings, found []client, devices []device) bool {
	if s.Client == "" {
		return slices.ContainsFunc(devices, func(d device) bool { return d.ID == e.DeviceID })
	}
	names := []string{s.Client}
	for _, c := range found {
		names = append(names, c.MAC, c.IP, c.Name)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return name != "" && (strings.EqualFold(e.ClientName, name) || mentions(e.Detail, name))
	})
}

// mentions tells whether a text holds a name as a word: 10.0.0.4 is not in 10.0.0.42.
func mentions(text, name string) bool {
	text, name = strings.ToLower(text), strings.ToLower(name)
	inside := func(r byte) bool {
		return r == '.' || r == ':' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 0x80
	}
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		begin, end := from+i, from+i+len(name)
		opens := begin == 0 || !inside(text[begin-1])
		closes := end == len(text) || !inside(text[end]) || (text[end] == '.' || text[end] == ':') && (end+1 == len(text) || !inside(text[end+1]))
		if opens && closes {
			return true
		}
		from = begin + 1
	}
}

func (e event) line() string {
	parts := []string{e.TS, e.DeviceName, e.EventType, e.SSID, e.ClientName, e.Detail}
	parts = slices.DeleteFunc(parts, func(part string) bool { return strings.TrimSpace(part) == "" })
	return line(strings.Join(parts, " · "))
}
