package peplink

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// Device is a router.
type Device struct {
	ID       int
	SN, Name string
	Offline  bool
	Mute     bool // it fails to tell its clients, in an answer with HTTP status 200
	Clients  []Client
}

// Client is one at a router.
type Client struct {
	IP, MAC, Name string
	Wired         bool
}

// Event is a line of a group's event log.
type Event struct {
	TS         string // default 2026-01-15T09:59:00
	DeviceID   int
	Type       string // default Client
	SSID       string
	ClientName string
	Detail     string
}

// List is a MAC access list.
type List struct {
	ID      int      `json:"id"`
	Name    string   `json:"name"`
	Address []string `json:"address"`
}

type group struct {
	id, name string
	devices  []Device
}

// AddGroup puts a group with devices in.
func (c *InControl) AddGroup(id int, name string, devices ...Device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups = append(c.groups, group{strconv.Itoa(id), name, devices})
}

// AddEvent writes a line into the event log of a group.
func (c *InControl) AddEvent(group int, e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.TS, e.Type = cmp.Or(e.TS, "2026-01-15T09:59:00"), cmp.Or(e.Type, "Client")
	id := strconv.Itoa(group)
	c.events[id] = append(c.events[id], e)
}

// SetList makes or replaces an access list of a group, as its operator does.
func (c *InControl) SetList(group int, l List) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replace(strconv.Itoa(group), l)
}

// DropList deletes an access list, as its operator does.
func (c *InControl) DropList(group, id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strconv.Itoa(group)
	c.lists[key] = slices.DeleteFunc(c.lists[key], func(l *List) bool { return l.ID == id })
}

// List are the addresses of an access list as they stand.
func (c *InControl) List(group, id int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lists[strconv.Itoa(group)] {
		if l.ID == id {
			return slices.Clone(l.Address)
		}
	}
	return nil
}

// Reboots are the ids of the devices that were rebooted, in that order.
func (c *InControl) Reboots() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.reboots)
}

func (c *InControl) replace(group string, l List) {
	for _, there := range c.lists[group] {
		if there.ID == l.ID {
			*there = l
			return
		}
	}
	c.lists[group] = append(c.lists[group], &l)
}

// within finds the group, and refuses in an answer with HTTP status 200 when there is none.
func (c *InControl) within(next func(w http.ResponseWriter, r *http.Request, g group)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(c.groups, func(g group) bool { return g.id == r.PathValue("grp") })
		if i < 0 {
			refuse(w, http.StatusOK, "INVALID_INPUT", "Invalid group")
			return
		}
		next(w, r, c.groups[i])
	}
}

// at finds the device in its group.
func (c *InControl) at(next func(w http.ResponseWriter, d Device)) http.HandlerFunc {
	return c.within(func(w http.ResponseWriter, r *http.Request, g group) {
		i := slices.IndexFunc(g.devices, func(d Device) bool { return strconv.Itoa(d.ID) == r.PathValue("dev") })
		if i < 0 {
			refuse(w, http.StatusNotFound, "NOT_FOUND", "device not found")
			return
		}
		next(w, g.devices[i])
	})
}

func (c *InControl) listOrganizations(w http.ResponseWriter, _ *http.Request) {
	reply(w, []object{{"id": c.o.Organization, "name": "Example Corp", "status": "active"}})
}

func (c *InControl) organization(w http.ResponseWriter, _ *http.Request) {
	reply(w, object{"id": c.o.Organization, "name": "Example Corp", "status": "active"})
}

func (c *InControl) listGroups(w http.ResponseWriter, _ *http.Request) {
	rows := []object{}
	for _, g := range c.groups {
		rows = append(rows, object{"id": json.Number(g.id), "name": g.name})
	}
	reply(w, rows)
}

func (c *InControl) getGroup(w http.ResponseWriter, _ *http.Request, g group) {
	reply(w, object{"id": json.Number(g.id), "name": g.name})
}

func (c *InControl) listDevices(w http.ResponseWriter, _ *http.Request, g group) {
	rows := []object{}
	for _, d := range g.devices {
		rows = append(rows, object{
			"id": d.ID, "group_id": json.Number(g.id), "group_name": g.name, "sn": d.SN, "name": d.Name, "status": d.status(),
			"product_id": 99, "product_name": "Balance 20X", "lan_mac": "02:00:5E:20:00:01", "fw_ver": "8.5.1",
		})
	}
	reply(w, rows)
}

func (d Device) status() string {
	if d.Offline {
		return "offline"
	}
	return "online"
}

func (c *InControl) getDevice(w http.ResponseWriter, d Device) {
	reply(w, object{
		"id": d.ID, "sn": d.SN, "name": d.Name, "status": d.status(),
		"fw_ver": "8.5.1", "uptime": 86400, "latitude": nil, "longitude": nil,
	})
}

func (c *InControl) listClients(w http.ResponseWriter, d Device) {
	if d.Mute || d.Offline {
		reply(w, object{"stat": "fail", "code": 500, "message": "device is busy"})
		return
	}
	rows := []object{}
	for _, one := range d.Clients {
		kind := "wireless"
		if one.Wired {
			kind = "ethernet"
		}
		rows = append(rows, object{"ip": one.IP, "mac": one.MAC, "name": one.Name, "active": true, "connectionType": kind, "vlanId": 100})
	}
	reply(w, object{"stat": "ok", "response": object{"list": rows}})
}

func (c *InControl) listEvents(w http.ResponseWriter, _ *http.Request, g group) {
	rows := []object{}
	for _, e := range c.events[g.id] {
		row := object{
			"ts": e.TS, "device_id": e.DeviceID, "event_type": e.Type, "ssid": e.SSID,
			"client_name": e.ClientName, "client_id": 77, "detail": e.Detail, "longitude": nil, "latitude": nil,
		}
		for _, d := range g.devices {
			if d.ID == e.DeviceID {
				row["device_name"], row["sn"] = d.Name, d.SN
			}
		}
		rows = append(rows, row)
	}
	reply(w, rows)
}

func (c *InControl) postReboot(w http.ResponseWriter, d Device) {
	c.reboots = append(c.reboots, d.ID)
	reply(w, object{})
}

func (c *InControl) getLists(w http.ResponseWriter, _ *http.Request, g group) {
	rows := c.lists[g.id]
	if rows == nil {
		rows = []*List{}
	}
	reply(w, rows)
}

// putList replaces a list whole. One that is not there is refused here, though InControl would make it: nobody may make
// lists by accident.
func (c *InControl) putList(w http.ResponseWriter, r *http.Request, g group) {
	var l List
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	isThere := func(there *List) bool { return there.ID == l.ID }
	if err := d.Decode(&l); err != nil || l.Address == nil || l.Name == "" || !slices.ContainsFunc(c.lists[g.id], isThere) {
		refuse(w, http.StatusOK, "INVALID_INPUT", "Invalid grouped mac")
		return
	}
	if !c.o.Frozen {
		c.replace(g.id, l)
	}
	reply(w, l)
}
