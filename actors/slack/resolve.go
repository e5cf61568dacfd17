package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// The metadata of our messages, by which one is found again.
const (
	eventType      = "tocsin_delivery"
	fieldDelivery  = "delivery_id"
	fieldStatus    = "status"
	channelsAPage  = 40
	mostPages      = 20
	clockTolerance = 5 * time.Minute // what Slack's signatures allow for, too
)

// An answer is looked at up to 64 KiB, which many short messages or one long
// message fit in: so a page that was cut is asked for again with less on it.
const maxAnswer = 64 << 10

var messagesAPage = []int{15, 4, 1}

// metadata marks a message with its delivery, and with the ticket's status that
// it tells.
func metadata(p dispatch.Parcel) slack.MsgOption {
	payload := map[string]any{fieldDelivery: p.DeliveryID}
	if p.Ticket != nil {
		payload[fieldStatus] = string(p.Ticket.Status)
	}
	return slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: payload})
}

// Resolve looks for the delivery's message where it would be: in the channel's
// history since the alert came, and in the thread of the ticket's message. When
// it may not look, that stays uncertain.
func (m *messenger) Resolve(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of Slack", p.Settings))
	}
	l := look{messenger: m, settings: s, parcel: p}
	if thread, ok := threadOf(p.Link, s); ok {
		if out, ended := l.through(ctx, l.thread(thread)); ended {
			return out
		}
	}
	channel, out := m.find(ctx, s.channel())
	if channel == "" {
		return out
	}
	if out, ended := l.through(ctx, l.history(channel)); ended {
		return out
	}
	return dispatch.Refused(errors.New("the message is not in the channel's history: it did not arrive"))
}

// look is a search for one message.
type look struct {
	messenger *messenger
	settings  *ConfigSettings
	parcel    dispatch.Parcel
}

// page is a part of a conversation.
type page struct {
	channel  string
	messages []slack.Message
	next     string
}

// read fetches the page at a cursor.
type read func(ctx context.Context, cursor string) (page, dispatch.Outcome)

// through goes through a conversation until the message is found. It has not
// ended when the message is not there.
func (l look) through(ctx context.Context, next read) (out dispatch.Outcome, ended bool) {
	cursor := ""
	for range mostPages {
		got, out := next(ctx, cursor)
		if out.Kind() != dispatch.OutcomeDelivered {
			return out, true
		}
		if i := slices.IndexFunc(got.messages, l.isIt); i >= 0 {
			return dispatch.Delivered(l.ref(got.channel, got.messages[i])).Over(out.Exchange()), true
		}
		if cursor = got.next; cursor == "" {
			return dispatch.Outcome{}, false
		}
	}
	return dispatch.Unsure(errors.New("the answer was lost, and more was said in the channel since than can be looked through")), true
}

func (l look) isIt(m slack.Message) bool {
	return m.Metadata.EventType == eventType && m.Metadata.EventPayload[fieldDelivery] == l.parcel.DeliveryID
}

func (l look) ref(channel string, found slack.Message) dispatch.Ref {
	status, _ := found.Metadata.EventPayload[fieldStatus].(string)
	isReply := found.ThreadTimestamp != "" && found.ThreadTimestamp != found.Timestamp
	return l.messenger.ref(place{channel, found.Timestamp}, l.settings, dispatch.TicketStatus(status), isReply)
}

// since is before the message can have been posted.
func (l look) since() string {
	at := l.parcel.Alert.ReceivedAt
	if at.IsZero() {
		return ""
	}
	return strconv.FormatInt(at.Add(-clockTolerance).Unix(), 10) + ".000000"
}

// history reads a channel, the newest first; replies are not in it.
func (l look) history(channel string) read {
	return whole(func(ctx context.Context, c *call.Call, cursor string, limit int) (page, error) {
		got, err := l.messenger.client(c).GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: channel, Cursor: cursor, Oldest: l.since(), Limit: limit, IncludeAllMetadata: true,
		})
		if err != nil {
			return page{}, err
		}
		return page{channel, got.Messages, got.ResponseMetaData.NextCursor}, nil
	}, l.messenger.call)
}

// thread reads the replies to a message.
func (l look) thread(at place) read {
	return whole(func(ctx context.Context, c *call.Call, cursor string, limit int) (page, error) {
		messages, _, next, err := l.messenger.client(c).GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: at.channel, Timestamp: at.ts, Cursor: cursor, Oldest: l.since(), Limit: limit, IncludeAllMetadata: true,
		})
		return page{at.channel, messages, next}, err
	}, l.messenger.call)
}

// whole is a read whose pages are small enough not to be cut. A thread that is
// not there any more is an empty page.
// Source: docs.slack.dev, errors of conversations.replies.
func whole(ask func(context.Context, *call.Call, string, int) (page, error), start func() *call.Call) read {
	return func(ctx context.Context, cursor string) (got page, out dispatch.Outcome) {
		for _, limit := range messagesAPage {
			c := start()
			p, err := ask(ctx, c, cursor, limit)
			if code(err) == "thread_not_found" {
				return page{}, dispatch.Delivered(dispatch.Ref{}).Over(c.Exchange())
			}
			got, out = p, looked(judge(c, err), err)
			if err == nil || len(c.Body()) < maxAnswer {
				return got, out
			}
		}
		return got, dispatch.Unsure(errors.New("the answer was lost, and a message in the channel is too long to be looked at"))
	}
}

// looked is the outcome of a question. One whose answer was lost is asked
// again; what Slack does not let the bot read stays uncertain.
func looked(out dispatch.Outcome, err error) dispatch.Outcome {
	switch {
	case code(err) == "missing_scope", out.Kind() == dispatch.OutcomeRefused:
		return dispatch.Unsure(fmt.Errorf("the answer was lost, and the bot cannot look for the message: %w", out.Err())).Over(out.Exchange())
	case out.Kind() == dispatch.OutcomeUncertain:
		return dispatch.Deferred(out.Err()).Over(out.Exchange())
	default:
		return out
	}
}

// find is the id of a channel by what a person configured; "" with an outcome
// that says why it is not known. The bot can read the channels that it is in.
func (m *messenger) find(ctx context.Context, channel string) (string, dispatch.Outcome) {
	if id := m.channels.id(channel); id != "" {
		return id, dispatch.Outcome{}
	}
	cursor := ""
	for range mostPages {
		c := m.call()
		found, next, err := m.client(c).GetConversationsForUserContext(ctx, &slack.GetConversationsForUserParameters{
			Cursor: cursor, Limit: channelsAPage, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"},
		})
		if out := looked(judge(c, err), err); out.Kind() != dispatch.OutcomeDelivered {
			return "", out
		}
		for _, ch := range found {
			if ch.Name == strings.TrimPrefix(channel, "#") {
				m.channels.learn(channel, ch.ID)
				return ch.ID, dispatch.Outcome{}
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return "", dispatch.Unsure(fmt.Errorf("the answer was lost, and the bot is in no channel called %s whose history it could read", channel))
}
