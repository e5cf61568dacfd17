package slack

import (
	"context"
	"strings"
	"sync"

	"github.com/slack-go/slack"
)

// home is the workspace that the bot is of, once Slack has told it. The zero
// home is not known.
type home struct {
	mu   sync.Mutex
	told *slack.AuthTestResponse
}

func (h *home) keep(who *slack.AuthTestResponse) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = who
}

func (h *home) known() *slack.AuthTestResponse {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told
}

// ask is what is known of the workspace, and asks Slack when that is nothing;
// nil when Slack does not tell.
func (m *messenger) ask(ctx context.Context) *slack.AuthTestResponse {
	if who := m.home.known(); who != nil {
		return who
	}
	c := m.call()
	who, err := m.client(c).AuthTestContext(ctx)
	if err != nil {
		m.world.Log.DebugContext(ctx, "slack does not tell which workspace this is", "error", c.Masked(err.Error()))
		return nil
	}
	m.home.keep(who)
	return who
}

// permalink is a message's address; "" while the workspace is not known.
// Source: docs.slack.dev, chat.getPermalink, whose answers look so.
func (h *home) permalink(channel, ts string) string {
	who := h.known()
	if who == nil || who.URL == "" {
		return ""
	}
	return strings.TrimSuffix(who.URL, "/") + "/archives/" + channel + "/p" + strings.ReplaceAll(ts, ".", "")
}

// channels are the ids of channels by the names that people configured, learned
// from Slack's answers. The zero channels are ready.
type channels struct{ byName sync.Map }

func (c *channels) learn(name, id string) { c.byName.Store(strings.TrimPrefix(name, "#"), id) }

// id is a channel's id; "" when it is not known. What has the form of an id of
// a channel is one: names have no upper case.
func (c *channels) id(name string) string {
	name = strings.TrimPrefix(name, "#")
	if found, ok := c.byName.Load(name); ok {
		id, _ := found.(string)
		return id
	}
	if len(name) > 7 && strings.ContainsRune("CGD", rune(name[0])) && name == strings.ToUpper(name) {
		return name
	}
	return ""
}
