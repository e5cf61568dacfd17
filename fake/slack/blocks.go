package slack

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Limits of blocks, in characters and items: docs.slack.dev, reference of blocks and composition objects. The total of
// all text is not documented; 13,200 is what bolt-js issue 2509 saw.
const (
	blocksMax      = 50
	idMax          = 255
	headerMax      = 150
	sectionMax     = 3000
	fieldsMax      = 10
	fieldMax       = 2000
	contextMax     = 10
	actionsMax     = 25
	buttonTextMax  = 75
	buttonValueMax = 2000
	urlMax         = 3000
	imageTextMax   = 2000
	blockTextTotal = 13_200
)

// checker collects what is wrong with blocks, each with a JSON pointer, in Slack's words.
type checker struct {
	found      []string
	characters int // of all text objects
}

func (c *checker) failure(code string) object {
	messages := make([]string, len(c.found))
	for i, f := range c.found {
		messages[i] = "[ERROR] " + f
	}
	return object{"ok": false, "error": code, "errors": c.found, "response_metadata": object{"messages": messages}}
}

func (c *checker) addf(pointer, format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...)+" [json-pointer:"+pointer+"]")
}

func (c *checker) blocks(pointer string, blocks []json.RawMessage) {
	if len(blocks) > blocksMax {
		c.addf(pointer, "no more than %d items allowed", blocksMax)
	}
	for i, raw := range blocks {
		at := fmt.Sprintf("%s/%d", pointer, i)
		var b object
		if json.Unmarshal(raw, &b) != nil {
			c.addf(at, "must be an object")
			continue
		}
		c.length(at, b, "block_id", idMax)
		c.block(at, b)
	}
}

func (c *checker) block(at string, b object) {
	switch b["type"] {
	case "header":
		c.text(at+"/text", b["text"], headerMax, true)
	case "section":
		c.section(at, b)
	case "context":
		for i, e := range c.items(at, b, "elements", contextMax) {
			if e["type"] != "image" {
				c.text(fmt.Sprintf("%s/elements/%d", at, i), e, sectionMax, true)
			}
		}
	case "actions":
		for i, e := range c.items(at, b, "elements", actionsMax) {
			c.element(fmt.Sprintf("%s/elements/%d", at, i), e)
		}
	case "image":
		c.length(at, b, "alt_text", imageTextMax)
		c.length(at, b, "image_url", urlMax)
		c.text(at+"/title", b["title"], imageTextMax, false)
	case "divider", "file", "input", "markdown", "rich_text", "table", "video":
	default:
		c.addf(at+"/type", "unsupported type: %v", b["type"])
	}
}

func (c *checker) section(at string, b object) {
	_, hasFields := b["fields"]
	c.text(at+"/text", b["text"], sectionMax, !hasFields)
	if hasFields {
		for i, f := range c.items(at, b, "fields", fieldsMax) {
			c.text(fmt.Sprintf("%s/fields/%d", at, i), f, fieldMax, true)
		}
	}
	if accessory, ok := b["accessory"].(object); ok {
		c.element(at+"/accessory", accessory)
	}
}

// element checks a button, with its confirmation; other elements only for their action_id.
func (c *checker) element(at string, e object) {
	c.length(at, e, "action_id", idMax)
	if e["type"] != "button" {
		return
	}
	c.text(at+"/text", e["text"], buttonTextMax, true)
	c.length(at, e, "value", buttonValueMax)
	c.length(at, e, "url", urlMax)
	if confirm, ok := e["confirm"].(object); ok {
		c.text(at+"/confirm/title", confirm["title"], 100, true)
		c.text(at+"/confirm/text", confirm["text"], 300, true)
		c.text(at+"/confirm/confirm", confirm["confirm"], 30, false)
		c.text(at+"/confirm/deny", confirm["deny"], 30, false)
	}
}

// text checks a text object of 1 to most characters.
func (c *checker) text(at string, v any, most int, required bool) {
	if v == nil && !required {
		return
	}
	t, _ := v.(object)
	text, isText := t["text"].(string)
	if !isText || t["type"] != "mrkdwn" && t["type"] != "plain_text" {
		c.addf(at, "must be a valid text object")
		return
	}
	n := utf8.RuneCountInString(text)
	c.characters += n
	switch {
	case n == 0:
		c.addf(at+"/text", "must be more than 0 characters")
	case n > most:
		c.addf(at+"/text", "must be less than %d characters", most+1)
	}
}

// length checks a text field that may be absent.
func (c *checker) length(at string, b object, field string, most int) {
	if text, ok := b[field].(string); ok && utf8.RuneCountInString(text) > most {
		c.addf(at+"/"+field, "must be less than %d characters", most+1)
	}
}

// items checks an array of 1 to most objects and returns them.
func (c *checker) items(at string, b object, field string, most int) []object {
	list, _ := b[field].([]any)
	if len(list) == 0 {
		c.addf(at+"/"+field, "no fewer than 1 items allowed")
	}
	if len(list) > most {
		c.addf(at+"/"+field, "no more than %d items allowed", most)
	}
	items := make([]object, len(list))
	for i, item := range list {
		items[i], _ = item.(object)
	}
	return items
}
