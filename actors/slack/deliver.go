package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"tocsin/dispatch"
)

// The keys of Ref.Data: where the message is, and the channel as it was
// configured then.
const (
	dataChannel = "channel"
	dataTS      = "ts"
	dataTo      = "to"
)

// Deliver posts one message. A channel takes one a second: a short wait is
// waited out here, a longer one is the outcome's. What follows on the same
// ticket goes into the thread of its message.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of Slack", p.Settings))
	}
	if thread, ok := threadOf(p.Link, s); ok {
		out, isClosed := m.reply(ctx, s, p, thread)
		if !isClosed {
			return out
		}
	}
	out, _ := m.post(ctx, s, p, s.channel(), m.content(s, p))
	return out
}

// place is where a message is.
type place struct{ channel, ts string }

func (p place) name() string { return p.channel + ":" + p.ts }

// threadOf is the message to which a follow-up belongs. There is none when that
// is gone, or when the API config was given another channel since.
func threadOf(l *dispatch.TicketLink, s *ConfigSettings) (place, bool) {
	if l == nil || l.State == dispatch.LinkDetached {
		return place{}, false
	}
	at, ok := placeOf(*l)
	to := l.Data[dataTo]
	return at, ok && (to == "" || to == s.channel())
}

// threadless are Slack's refusals of a reply where a message of its own can go.
// Source: docs.slack.dev, errors of chat.postMessage.
var threadless = []string{"restricted_action_thread_locked", "restricted_action_non_threadable_channel"}

// reply posts into the thread of a message. IsClosed says that the thread takes
// none, so that nothing was posted.
func (m *messenger) reply(ctx context.Context, s *ConfigSettings, p dispatch.Parcel, to place) (out dispatch.Outcome, isClosed bool) {
	c := m.content(s, p)
	c.isReply = true
	out, err := m.post(ctx, s, p, to.channel, c, slack.MsgOptionTS(to.ts))
	return out, slices.Contains(threadless, code(err))
}

func (m *messenger) post(ctx context.Context, s *ConfigSettings, p dispatch.Parcel, to string, what content, options ...slack.MsgOption) (dispatch.Outcome, error) {
	if wait, err := m.lanes.enter(ctx, cmp.Or(m.channels.id(s.channel()), s.channel())); err != nil {
		return dispatch.Deferred(err).After(wait), nil
	}
	c := m.call()
	options = append(options, what.message()...)
	options = append(options, metadata(p), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
	channel, ts, err := m.client(c).PostMessageContext(ctx, to, options...)
	if out := judge(c, err); out.Kind() != dispatch.OutcomeDelivered {
		return out, err
	}
	if ts == "" || channel == "" {
		return dispatch.Unsure(errors.New("slack says that it posted the message, but not where")).Over(c.Exchange()), nil
	}
	m.channels.learn(s.channel(), channel)
	return dispatch.Delivered(m.ref(place{channel, ts}, s, what.shows(), what.isReply)).Over(c.Exchange()), nil
}

// ref is what a message is called from now on.
func (m *messenger) ref(at place, s *ConfigSettings, shows dispatch.TicketStatus, isReply bool) dispatch.Ref {
	return dispatch.Ref{
		ID: at.name(), URL: m.home.permalink(at.channel, at.ts),
		Data:  map[string]string{dataChannel: at.channel, dataTS: at.ts, dataTo: s.channel()},
		Shows: shows, Loose: isReply,
	}
}
