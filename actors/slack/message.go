package slack

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// Limits in characters, at or below those of docs.slack.dev. Text stays within
// what chat.update takes, and the blocks together well within 13,200, which
// Slack does not document but enforces.
const (
	maxText        = 4_000
	maxHeader      = 150
	maxField       = 400
	maxDescription = 2_500
	maxLinkName    = 200
	maxLink        = 2_000
)

var colors = map[dispatch.Severity]string{
	dispatch.Critical: "#b3001b", dispatch.High: "#e5481d", dispatch.Medium: "#f2a900",
	dispatch.Low: "#2f81f7", dispatch.Info: "#8b949e",
}

// content is what a message says.
type content struct {
	alert      dispatch.Alert
	ticket     *dispatch.Ticket // nil when the alert has none
	ticketURL  string
	text       string
	isTest     bool
	isReply    bool // in the thread of another; it is never changed
	hasButtons bool
}

func (m *messenger) content(s *ConfigSettings, p dispatch.Parcel) content {
	return content{
		alert: p.Alert, ticket: p.Ticket, ticketURL: p.TicketURL, text: s.Text, isTest: p.Test,
		hasButtons: m.settings.hears(),
	}
}

// message is the text, shown above the attachment and in Slack's own
// notifications, and the facts in an attachment, whose edge is coloured.
func (c content) message() []slack.MsgOption {
	text := cmp.Or(strings.TrimSpace(c.text), c.alert.Summary)
	if how := c.standing(); how != "" {
		text = "[" + how + "] " + text
	}
	if c.isTest {
		text = "[Test] " + text
	}
	return []slack.MsgOption{
		slack.MsgOptionText(mrkdwn(text, maxText), false),
		slack.MsgOptionAttachments(slack.Attachment{
			Color: colors[c.alert.Severity], Blocks: slack.Blocks{BlockSet: c.blocks()},
		}),
	}
}

func (c content) blocks() []slack.Block {
	a := c.alert
	head := clip.Characters(string(a.Severity)+": "+a.BehaviorModel, maxHeader)
	out := []slack.Block{slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, head, false, false))}
	if a.Description != nil && strings.TrimSpace(*a.Description) != "" {
		out = append(out, slack.NewSectionBlock(written(mrkdwn(*a.Description, maxDescription)), nil, nil))
	}
	out = append(out, slack.NewSectionBlock(nil, c.facts(), nil))
	if links := c.links(); links != "" {
		out = append(out, slack.NewContextBlock("", written(links)))
	}
	if buttons := c.buttons(); buttons != nil {
		out = append(out, buttons)
	}
	return out
}

func (c content) facts() []*slack.TextBlockObject {
	a := c.alert
	var out []*slack.TextBlockObject
	add := func(name, value string) {
		if strings.TrimSpace(value) != "" {
			out = append(out, written("*"+name+"*\n"+mrkdwn(value, maxField)))
		}
	}
	add("Behavior model", a.BehaviorModel)
	add("Severity", string(a.Severity))
	add("Key", named(a))
	if a.RiskScore != nil {
		add("Risk score", strconv.Itoa(*a.RiskScore))
	}
	add("Risks", strings.Join(a.Risks, ", "))
	add("Source", value(a.Source))
	add("Ticket", c.standing())
	return out
}

// named is the key with what sort of thing it is.
func named(a dispatch.Alert) string {
	if a.Key != nil && a.KeyType != nil {
		return *a.Key + " (" + *a.KeyType + ")"
	}
	return value(a.Key)
}

func (c content) links() string {
	var out []string
	if c.ticket != nil {
		name := fmt.Sprintf("T-%d %s", c.ticket.Number, c.ticket.Title)
		out = append(out, link(c.ticketURL, mrkdwn(strings.Join(strings.Fields(name), " "), maxLinkName)))
	}
	if c.alert.Link != nil {
		if l := link(*c.alert.Link, "Details"); l != "Details" {
			out = append(out, l)
		}
	}
	return strings.Join(out, " · ")
}

// link is a link in mrkdwn; the name alone when the address is none or too long.
func link(address, name string) string {
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
		return name
	}
	address = linkEscapes.Replace(address)
	if len(address) > maxLink || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return name
	}
	return "<" + address + "|" + name + ">"
}

var linkEscapes = strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C", " ", "%20")

// mrkdwn escapes what Slack would take for a mention or a link.
// Source: docs.slack.dev, formatting message text, escaping text.
func mrkdwn(text string, n int) string {
	return clip.Escaped(text, n, map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;"})
}

// written is a mrkdwn object in which Slack does not search for names and addresses.
func written(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
