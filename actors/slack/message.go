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

// message is the text, shown above the attachment and in Slack's own
// notifications, and the facts in an attachment, whose edge is coloured.
func message(text string, p dispatch.Parcel) []slack.MsgOption {
	text = cmp.Or(strings.TrimSpace(text), p.Alert.Summary)
	if p.Test {
		text = "[Test] " + text
	}
	return []slack.MsgOption{
		slack.MsgOptionText(mrkdwn(text, maxText), false),
		slack.MsgOptionAttachments(slack.Attachment{
			Color: colors[p.Alert.Severity], Blocks: slack.Blocks{BlockSet: blocks(p)},
		}),
		slack.MsgOptionMetadata(slack.SlackMetadata{
			EventType: "tocsin_delivery", EventPayload: map[string]any{"delivery_id": p.DeliveryID},
		}),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}

func blocks(p dispatch.Parcel) []slack.Block {
	a := p.Alert
	head := clip.Characters(string(a.Severity)+": "+a.BehaviorModel, maxHeader)
	out := []slack.Block{slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, head, false, false))}
	if a.Description != nil && strings.TrimSpace(*a.Description) != "" {
		out = append(out, slack.NewSectionBlock(written(mrkdwn(*a.Description, maxDescription)), nil, nil))
	}
	out = append(out, slack.NewSectionBlock(nil, facts(a), nil))
	if links := links(p); links != "" {
		out = append(out, slack.NewContextBlock("", written(links)))
	}
	return out
}

func facts(a dispatch.Alert) []*slack.TextBlockObject {
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
	return out
}

// named is the key with what sort of thing it is.
func named(a dispatch.Alert) string {
	if a.Key != nil && a.KeyType != nil {
		return *a.Key + " (" + *a.KeyType + ")"
	}
	return value(a.Key)
}

func links(p dispatch.Parcel) string {
	var out []string
	if p.Ticket != nil {
		name := fmt.Sprintf("T-%d %s", p.Ticket.Number, p.Ticket.Title)
		out = append(out, link(p.TicketURL, mrkdwn(strings.Join(strings.Fields(name), " "), maxLinkName)))
	}
	if p.Alert.Link != nil {
		if l := link(*p.Alert.Link, "Details"); l != "Details" {
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
