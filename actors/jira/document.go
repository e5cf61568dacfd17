package jira

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"tocsin/actors/internal/clip"
	"tocsin/actors/internal/preset"
)

// Limits of texts, in characters as Java counts them. That of a description is
// kept for the whole document, the stricter way to read it.
const (
	maxSummary = 255
	maxText    = 32_767
)

// node is a part of a document in the Atlassian Document Format.
// Source: developer.atlassian.com, "Atlassian Document Format", structure.
type node struct {
	Type    string            `json:"type"`
	Version int               `json:"version,omitempty"`
	Attrs   map[string]string `json:"attrs,omitempty"`
	Text    string            `json:"text,omitempty"`
	Marks   []node            `json:"marks,omitempty"`
	Content []node            `json:"content,omitempty"`
}

// document is a text with the facts and the link of a message below it, and a
// mark at its end where one is given. The text is what is cut.
func document(text string, m preset.Message, mark string) node {
	tail := factNodes(m)
	if mark != "" {
		tail = append(tail, paragraph(node{Type: "text", Text: mark, Marks: []node{{Type: "code"}}}))
	}
	text = readable(text)
	for n := min(utf8.RuneCountInString(text), maxText); ; {
		doc := node{Type: "doc", Version: 1, Content: append(paragraphs(clip.Characters(text, max(n, minText))), tail...)}
		is := size(doc)
		if is <= maxText || n <= minText {
			return doc
		}
		n = min(n*maxText/is, n-1)
	}
}

// minText is what is left of a text beside the longest of tails.
const minText = 100

// readable is a text without characters that Jira does not store; lines stay.
func readable(text string) string {
	lines := strings.Split(strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = preset.Plain(line)
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// paragraphs are a text's, with blank lines between them.
func paragraphs(text string) []node {
	var all []node
	for block := range strings.SplitSeq(text, "\n\n") {
		var inside []node
		for line := range strings.SplitSeq(strings.Trim(block, "\n"), "\n") {
			if line == "" {
				continue
			}
			if len(inside) > 0 {
				inside = append(inside, node{Type: "hardBreak"})
			}
			inside = append(inside, linked(line))
		}
		if len(inside) > 0 {
			all = append(all, paragraph(inside...))
		}
	}
	return all
}

func paragraph(inside ...node) node { return node{Type: "paragraph", Content: inside} }

// linked is a line, and a link where it is an address.
func linked(line string) node {
	n := node{Type: "text", Text: line}
	if (strings.HasPrefix(line, "https://") || strings.HasPrefix(line, "http://")) && !strings.ContainsAny(line, " …") {
		n.Marks = link(line)
	}
	return n
}

func link(to string) []node { return []node{{Type: "link", Attrs: map[string]string{"href": to}}} }

const maxFact = 300

func factNodes(m preset.Message) []node {
	var inside []node
	for i, f := range m.Facts {
		if i > 0 {
			inside = append(inside, node{Type: "hardBreak"})
		}
		inside = append(inside,
			node{Type: "text", Text: clip.Characters(preset.Plain(f.Name), maxFact) + ": ", Marks: []node{{Type: "strong"}}},
			node{Type: "text", Text: clip.Characters(preset.Plain(f.Value), maxFact)})
	}
	var all []node
	if len(inside) > 0 {
		all = append(all, paragraph(inside...))
	}
	if m.URL != "" {
		all = append(all, paragraph(node{Type: "text", Text: "Open the ticket in Tocsin", Marks: link(m.URL)}))
	}
	return all
}

// size is how long a document is as it is sent.
func size(doc node) int {
	var text bytes.Buffer
	if write(&text, doc) != nil { // texts always marshal
		return 0
	}
	return length(text.String())
}

func length(text string) int { return len(utf16.Encode([]rune(text))) }

// line is a text in one line, in at most n characters as Java counts them.
func line(text string, n int) string {
	text = preset.Plain(text)
	cut := clip.Characters(text, n)
	for most := n; length(cut) > n; {
		most -= (length(cut) - n + 1) / 2
		cut = clip.Characters(text, most)
	}
	return cut
}
