package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/dispatch"
)

// interaction is what Slack sends when a person does something with a message.
// Source: docs.slack.dev, block_actions payload.
type interaction struct {
	Type       string `json:"type"`
	Team       party  `json:"team"`       // null where an organization installed the app
	Enterprise party  `json:"enterprise"` // null outside of an organization
	IsOrgs     bool   `json:"is_enterprise_install"`
	User       struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
	} `json:"user"`
	Container struct {
		TS      string `json:"message_ts"`
		Channel string `json:"channel_id"`
	} `json:"container"`
	Actions []action `json:"actions"`
}

type party struct {
	ID string `json:"id"`
}

type action struct {
	ID    string `json:"action_id"`
	Value string `json:"value"`
	TS    string `json:"action_ts"`
}

// errForeign: the payload is of a workspace that is not the bot's.
var errForeign = errors.New("the payload is of another workspace than the bot's")

// lookups is how long Slack is asked about a click while it waits for an
// answer, three seconds in all.
const lookups = 1500 * time.Millisecond

// changes are what a payload asks for: one change for each click on a button of
// ours, none for anything else.
func (m *messenger) changes(ctx context.Context, payload []byte) ([]dispatch.StatusChange, error) {
	var i interaction
	if err := json.Unmarshal(payload, &i); err != nil {
		return nil, errors.New("the payload cannot be read")
	}
	clicks := i.clicks()
	if i.Type != "block_actions" || len(clicks) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookups)
	defer cancel()
	if m.isForeign(ctx, i) {
		return nil, errForeign
	}
	who := m.name(ctx, i)
	for n := range clicks {
		clicks[n].By = who
		clicks[n].Text = who + " " + clicks[n].Text
	}
	return clicks, nil
}

// clicks are the changes that the buttons ask for, without who it was.
func (i interaction) clicks() []dispatch.StatusChange {
	var out []dispatch.StatusChange
	at := place{i.Container.Channel, i.Container.TS}
	for _, a := range i.Actions {
		n := slices.IndexFunc(allButtons, func(b button) bool { return b.action == a.ID })
		ticket, ok := ticketOf(a.Value)
		if n < 0 || !ok {
			continue
		}
		out = append(out, dispatch.StatusChange{
			EventID: event(at.name(), i.User.ID, a.ID, a.TS), At: moment(a.TS), Names: []string{at.name()},
			TicketIDs: []string{ticket}, Status: allButtons[n].asks, Text: "clicked " + allButtons[n].title,
		})
	}
	return out
}

// event is the same for the same click, however often it comes. Slack gives
// clicks no id of their own.
func event(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:16])
}

// moment is a time as Slack writes it: seconds with six decimals. It is zero
// when it cannot be read.
func moment(ts string) time.Time {
	whole, part, _ := strings.Cut(ts, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}
	}
	micros, err := strconv.ParseInt((part + "000000")[:6], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, micros*1000).UTC()
}

// isForeign tells whether a payload is of another workspace. Whoever signed it
// knows the app's secret, so that a workspace that is not known yet is let in.
func (m *messenger) isForeign(ctx context.Context, i interaction) bool {
	who := m.ask(ctx)
	switch {
	case who == nil:
		return false
	case i.IsOrgs || i.Team.ID == "":
		return who.EnterpriseID != "" && i.Enterprise.ID != "" && i.Enterprise.ID != who.EnterpriseID
	default:
		return i.Team.ID != who.TeamID
	}
}
