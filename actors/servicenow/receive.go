package servicenow

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"tocsin/dispatch"
)

// push is what a business rule sends by the setup help. Values may be numbers.
type push map[string]cell

func (p push) value(name string) string { return p[name].value }

// Receive takes what a business rule sends, signed by Standard Webhooks v1 with
// the webhook secret.
func (m *messenger) Receive(_ context.Context, r dispatch.Inbound) ([]dispatch.StatusChange, dispatch.Reply) {
	at, ok := isAuthentic(m.inbound, r.Header, r.Body, time.Now())
	if !ok {
		return nil, dispatch.Reply{
			Status: http.StatusUnauthorized,
			Body:   "the request is not signed with this actor's webhook secret within the last five minutes; see Standard Webhooks\n",
		}
	}
	var p push
	switch err := json.Unmarshal(r.Body, &p); {
	case err != nil:
		return nil, bad(`the body is not a JSON object such as {"sys_id": "…", "state": "6", "sys_mod_count": "3"}`)
	case !sysIDForm.MatchString(p.value(columnID)):
		return nil, bad("sys_id is missing or has not 32 hexadecimal digits; send current.getUniqueValue()")
	case p.value("sys_mod_count") == "":
		return nil, bad("sys_mod_count is missing; send current.getValue('sys_mod_count')")
	case p.value(dataTable) == "" && m.settings.PollTable == tableTask:
		return nil, bad("table is missing, and states have other numbers in other tables; send current.getTableName()")
	case p.value(columnState) == "" && p.value("operation") != "delete":
		return nil, bad("state is missing; send current.getValue('state')")
	}
	return []dispatch.StatusChange{m.pushed(p, at)}, dispatch.Reply{}
}

func bad(problem string) dispatch.Reply {
	return dispatch.Reply{Status: http.StatusBadRequest, Body: problem + "\n"}
}

// pushed is what a business rule says. It always says that somebody did something,
// so what our own user did is named as an echo.
func (m *messenger) pushed(p push, sent time.Time) dispatch.StatusChange {
	id, by := p.value(columnID), p.value("sys_updated_by")
	f := flowOf(cmp.Or(p.value(dataTable), m.settings.PollTable))
	c := dispatch.StatusChange{
		EventID: id + ":" + p.value("sys_mod_count"), At: moment(p.value("sys_updated_on"), p.value("sys_mod_count")),
		Names: []string{id}, Status: f.shows[p.value(columnState)], Word: f.word(p.value(columnState), ""),
		By: m.person(by), Echo: m.login.isOwn(by),
	}
	if c.At.IsZero() {
		c.At = sent
	}
	if p.value("operation") == "delete" {
		c.EventID, c.Status, c.Word, c.Echo, c.Gone = id+":deleted", "", "", false, true
		return c
	}
	if number := p.value("number"); number != "" {
		c.Also = []string{number}
	}
	if c.By == "" && by != "" && !c.Echo {
		c.Text = by + ": " + c.Word
	}
	if c.Status == "" {
		c.Text = cmp.Or(by, "ServiceNow") + ": " + c.Word + ", which stands for no status of a ticket"
	}
	return c
}
