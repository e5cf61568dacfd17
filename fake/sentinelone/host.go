package sentinelone

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Host is a computer with an agent.
type Host struct {
	ID, UUID, Name, IP, MAC string
	OS                      string // default windows
	AccountID, SiteID       string // default 1700000000000000001 and …101
	Network                 string // default connected
	Scan                    string // default none
}

// Blocked is a hash on the blocklist.
type Blocked struct{ Hash, OS, SiteID string }

// AddHost puts a host in.
func (c *Console) AddHost(h Host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range []struct {
		field *string
		value string
	}{
		{&h.OS, "windows"}, {&h.AccountID, "1700000000000000001"}, {&h.SiteID, "1700000000000000101"}, {&h.Network, "connected"}, {&h.Scan, "none"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	c.hosts = append(c.hosts, &h)
}

// Host is a copy of a host as it stands; zero when there is none.
func (c *Console) Host(id string) Host {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.host(id)
}

// Arrive lets every command arrive at its host: what was disconnecting is disconnected.
func (c *Console) Arrive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.hosts {
		h.Network = strings.Replace(h.Network, "ing", "ed", 1)
		if h.Scan == "started" {
			h.Scan = "finished"
		}
	}
}

// Blocklist is what is on the blocklist.
func (c *Console) Blocklist() []Blocked {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.blocked)
}

func (c *Console) host(id string) *Host {
	for _, h := range c.hosts {
		if h.ID == id {
			return h
		}
	}
	return &Host{}
}

func (c *Console) listHosts(w http.ResponseWriter, r *http.Request) {
	if c.lacks(w, "Endpoints.view") {
		return
	}
	q := r.URL.Query()
	has := func(filter, value string) bool {
		return strings.Contains(strings.ToLower(value), strings.ToLower(q.Get(filter)))
	}
	var rows []any
	for _, h := range c.hosts {
		if among(q.Get("ids"), h.ID) && has("uuid__contains", h.UUID) && has("computerName__contains", h.Name) &&
			has("networkInterfaceInet__contains", h.IP) && has("networkInterfacePhysical__contains", h.MAC) &&
			among(q.Get("siteIds"), h.SiteID) && among(q.Get("accountIds"), h.AccountID) {
			rows = append(rows, h.json())
		}
	}
	c.page(w, r, rows)
}

func (h *Host) json() object {
	return object{
		"id": h.ID, "uuid": h.UUID, "computerName": h.Name, "osType": h.OS, "accountId": h.AccountID, "siteId": h.SiteID,
		"networkStatus": h.Network, "isActive": true, "isDecommissioned": false, "scanStatus": h.Scan,
		"networkInterfaces": []object{{"id": "1898765432109876600", "name": "Ethernet", "inet": []string{h.IP}, "inet6": []string{}, "physical": h.MAC}},
	}
}

// network takes a host from one state to the next; Arrive brings it there.
func (c *Console) network(from, to, right string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o, ok := ordered(w, r)
		if !ok || c.lacks(w, right) {
			return
		}
		n := 0
		for _, h := range c.hosts {
			if slices.Contains(o.Filter.IDs, h.ID) && h.Network == from {
				h.Network = to
				n++
			}
		}
		affected(w, n)
	}
}

func (c *Console) postScan(w http.ResponseWriter, r *http.Request) {
	o, ok := ordered(w, r)
	if !ok || c.lacks(w, "Endpoints.initiateScan") {
		return
	}
	n := 0
	for _, h := range c.hosts {
		if slices.Contains(o.Filter.IDs, h.ID) {
			h.Scan = "started"
			n++
		}
	}
	affected(w, n)
}

func (c *Console) postRestriction(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil || len(o.Filter.SiteIDs) != 1 {
		refuse(w, http.StatusBadRequest, "Validation Error", "filter: the fake takes one site.")
		return
	}
	b := Blocked{o.text("value"), o.text("osType"), o.Filter.SiteIDs[0]}
	if slices.Contains(c.blocked, b) {
		reply(w, http.StatusBadRequest, object{"errors": []object{{"code": 4000030, "detail": "Already exists", "title": "Already exists"}}})
		return
	}
	c.blocked = append(c.blocked, b)
	reply(w, http.StatusOK, object{"data": []object{{"id": "1912345678901239999", "value": b.Hash, "type": "black_hash", "osType": b.OS}}})
}
