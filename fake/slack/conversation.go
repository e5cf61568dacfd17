package slack

import "slices"

// history lists a channel's messages, the newest first, without what is in threads.
func (w *Workspace) history(args arguments) object {
	channel := args["channel"]
	if problem := w.readable(channel); problem != nil {
		return problem
	}
	var found []Message
	for _, m := range w.messages {
		if m.Channel == channel && m.ThreadTS == "" && within(m, args) {
			found = append(found, m)
		}
	}
	slices.Reverse(found)
	return w.conversation(args, found)
}

// thread lists a message with its replies, the oldest first.
func (w *Workspace) thread(args arguments) object {
	channel, root := args["channel"], args["ts"]
	if problem := w.readable(channel); problem != nil {
		return problem
	}
	var found []Message
	for _, m := range w.messages {
		if m.Channel == channel && (m.TS == root || m.ThreadTS == root && within(m, args)) {
			found = append(found, m)
		}
	}
	if len(found) == 0 {
		return failure("thread_not_found")
	}
	return w.conversation(args, found)
}

// within tells whether a message is after the oldest time that is asked for.
func within(m Message, args arguments) bool {
	return m.TS > args["oldest"] || args["inclusive"] == "1" && m.TS == args["oldest"]
}

// readable says what keeps the bot from reading a channel.
func (w *Workspace) readable(id string) object {
	i := slices.IndexFunc(w.o.Channels, func(c Channel) bool { return c.ID == id })
	scope := "channels:history"
	switch {
	case i < 0:
		return failure("channel_not_found")
	case w.o.Channels[i].Private:
		scope = "groups:history"
	}
	switch {
	case !w.may(scope):
		return w.missing(scope)
	case w.o.Channels[i].Member:
		return nil
	case w.o.Channels[i].Private:
		return failure("channel_not_found")
	default:
		return failure("not_in_channel")
	}
}

func (w *Workspace) conversation(args arguments, all []Message) object {
	from, to, next, problem := w.cut(args, len(all))
	if problem != "" {
		return failure(problem)
	}
	messages := []object{}
	for _, m := range all[from:to] {
		shown := m.shown()
		if len(m.Metadata) > 0 && (args["include_all_metadata"] == "1" || args["include_all_metadata"] == "true") {
			shown["metadata"] = m.Metadata
		}
		messages = append(messages, shown)
	}
	return object{
		"ok": true, "messages": messages, "has_more": next != "", "pin_count": 0,
		"channel_actions_ts": nil, "channel_actions_count": 0, "response_metadata": object{"next_cursor": next},
	}
}
