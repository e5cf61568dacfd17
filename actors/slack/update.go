package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/dispatch"
)

// gone are the errors of chat.update after which nothing follows the message any
// more: it was deleted, it is too old to be edited, or the bot cannot get at it.
// Source: docs.slack.dev, errors of chat.update.
var gone = []string{
	"message_not_found", "cant_update_message", "edit_window_closed", "is_inactive",
	"channel_not_found", "not_in_channel", "is_archived",
}

// Update makes the message show the ticket as it is now. It is built anew from
// the alert, never from what Slack sends back, which Slack itself may refuse.
func (m *messenger) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	s, ok := u.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of Slack", u.Settings))
	}
	at, ok := placeOf(u.Link)
	if !ok {
		return dispatch.Refused(errors.New("the link says neither channel nor ts, so the message cannot be found")).Gone()
	}
	if wait, err := m.updates.enter(ctx); err != nil {
		return dispatch.Deferred(fmt.Errorf("slack takes fifty changes of messages a minute: %w", err)).After(wait)
	}
	c := m.call()
	_, ts, _, err := m.client(c).UpdateMessageContext(ctx, at.channel, at.ts, m.updated(s, u)...)
	out := judge(c, err)
	switch {
	case slices.Contains(gone, code(err)):
		return out.Gone()
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	default:
		return dispatch.Delivered(dispatch.Ref{URL: m.home.permalink(at.channel, cmp.Or(ts, at.ts))}).Over(c.Exchange())
	}
}

// updated is all of the message: what is left out of chat.update stays as it
// was, but for parse, which would turn to a value that makes mentions of names.
func (m *messenger) updated(s *ConfigSettings, u dispatch.StatusUpdate) []slack.MsgOption {
	what := content{
		alert: u.Alert, ticket: &u.Ticket, ticketURL: u.TicketURL, text: s.Text, hasButtons: m.settings.hears(),
	}
	return append(what.message(), slack.MsgOptionParse(false))
}

// placeOf is where a link's message is.
func placeOf(l dispatch.TicketLink) (place, bool) {
	at := place{l.Data[dataChannel], l.Data[dataTS]}
	if at.channel == "" || at.ts == "" {
		at.channel, at.ts, _ = strings.Cut(l.ExternalID, ":")
	}
	return at, at.channel != "" && at.ts != ""
}
