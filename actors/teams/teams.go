// Package teams posts alerts to a channel of Microsoft Teams by a workflow that
// waits for a webhook. It does not use the connectors of Office 365, which are
// retired, and hears nothing: that needs a registered bot.
//
// The request is that of learn.microsoft.com and adaptivecards.io as of 2026:
// create incoming webhooks with Workflows, RichTextBlock, Action.OpenUrl.
package teams

import (
	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// Settings are those of a Teams actor.
type Settings struct {
	URL dispatch.Secret `json:"url" title:"Workflow URL" doc:"Give the URL that the workflow shows under When a Teams webhook request is received" required:"true" secret:"true" max:"2000"`
}

// ConfigSettings are those of a Teams API config.
type ConfigSettings struct {
	Text string `json:"text" title:"Text" doc:"Give the message; formatting is shown as text" required:"true" template:"true"`
}

// Kind is Microsoft Teams on the notice board.
func Kind() dispatch.Kind {
	return preset.Kind(dispatch.Kind{
		Name: "teams", Title: "Microsoft Teams", DefaultName: "Teams-Default",
		Description:    "Posts the alert as a card to a channel of Microsoft Teams, by a workflow.",
		SetupHelp:      "In Teams open **Workflows** for the channel, choose **Post to a channel when a webhook request is received**, and copy its URL. That Teams accepts a card (202) does not say that the workflow has posted it: look at the workflow's runs once.",
		Settings:       &Settings{},
		ConfigSettings: &ConfigSettings{Text: "{{.Alert.Summary}}"},
	}, preset.Service[Settings, ConfigSettings]{
		Check:    func(s *Settings) error { return preset.CheckURL("secrets.url", string(s.URL)) },
		Secrets:  func(s *Settings) []string { return preset.Address(s.URL) },
		Request:  post,
		Remedies: map[int]string{401: remedy, 403: remedy, 404: remedy, 410: remedy},
	})
}

const remedy = "the workflow is not there any more, is turned off, or its URL has changed; copy it again to secrets.url"

// maxBody is how long a request may be, in bytes; the texts fit it whatever
// characters are used and however they are escaped.
const maxBody = 28 << 10

var (
	text  = preset.Style{Limit: 2000}
	short = preset.Style{Limit: 150}
)

type object = map[string]any

func post(s *Settings, c *ConfigSettings, p dispatch.Parcel) (preset.Request, error) {
	return preset.JSON(string(s.URL), object{"type": "message", "attachments": []object{{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card(preset.Of(c.Text, p)),
	}}})
}

// card has all texts in runs, which know no Markdown and no mentions.
func card(m preset.Message) object {
	body := []object{block(object{"type": "TextRun", "text": text.Line(m.Text), "weight": "Bolder", "size": "Medium"})}
	for _, f := range m.Facts {
		body = append(body, block(
			object{"type": "TextRun", "text": short.Line(f.Name) + ": ", "weight": "Bolder"},
			object{"type": "TextRun", "text": short.Line(f.Value)},
		))
	}
	card := object{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
		"body": body, "msteams": object{"width": "Full"},
	}
	if m.URL != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open the ticket", "url": m.URL}}
	}
	return card
}

func block(runs ...object) object { return object{"type": "RichTextBlock", "inlines": runs} }
