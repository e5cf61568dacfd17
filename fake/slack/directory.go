package slack

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

func (w *Workspace) listConversations(args arguments) object {
	kinds := strings.Split(args["types"], ",")
	if args["types"] == "" {
		kinds = []string{"public_channel"}
	}
	private := slices.Contains(kinds, "private_channel")
	if private && !w.may("groups:read") {
		return w.missing("groups:read")
	}
	var found []object
	for _, c := range w.o.Channels {
		wanted := c.Private && c.Member && private || !c.Private && slices.Contains(kinds, "public_channel")
		if wanted && !(c.Archived && args["exclude_archived"] == "true") {
			found = append(found, c.shown())
		}
	}
	return w.listed(args, found)
}

// ownConversations are those that the bot is in.
func (w *Workspace) ownConversations(args arguments) object {
	kinds := strings.Split(cmp.Or(args["types"], "public_channel"), ",")
	if slices.Contains(kinds, "private_channel") && !w.may("groups:read") {
		return w.missing("groups:read")
	}
	var found []object
	for _, c := range w.o.Channels {
		kind := "public_channel"
		if c.Private {
			kind = "private_channel"
		}
		if c.Member && slices.Contains(kinds, kind) && !(c.Archived && args["exclude_archived"] == "true") {
			found = append(found, c.shown())
		}
	}
	return w.listed(args, found)
}

func (w *Workspace) listed(args arguments, all []object) object {
	from, to, next, problem := w.cut(args, len(all))
	if problem != "" {
		return failure(problem)
	}
	return object{"ok": true, "channels": append([]object{}, all[from:to]...), "response_metadata": object{"next_cursor": next}}
}

func (w *Workspace) missing(scope string) object {
	return object{"ok": false, "error": "missing_scope", "needed": scope, "provided": strings.Join(w.o.Scopes, ",")}
}

// cut is what the cursor and the limit ask for of n items, or less.
func (w *Workspace) cut(args arguments, n int) (from, to int, next, problem string) {
	limit := 100
	if args["limit"] != "" {
		asked, err := strconv.Atoi(args["limit"])
		if err != nil || asked < 1 || asked > 999 {
			return 0, 0, "", "invalid_limit"
		}
		limit = asked
	}
	if w.o.PageSize > 0 {
		limit = min(limit, w.o.PageSize)
	}
	from, ok := readCursor(args["cursor"])
	if !ok || from > n {
		return 0, 0, "", "invalid_cursor"
	}
	to = min(from+limit, n)
	if to < n {
		next = base64.StdEncoding.EncodeToString([]byte("from:" + strconv.Itoa(to)))
	}
	return from, to, next, ""
}

func readCursor(cursor string) (from int, ok bool) {
	if cursor == "" {
		return 0, true
	}
	text, err := base64.StdEncoding.DecodeString(cursor)
	if err != nil {
		return 0, false
	}
	from, err = strconv.Atoi(strings.TrimPrefix(string(text), "from:"))
	return from, err == nil && from >= 0
}

func (w *Workspace) conversationInfo(args arguments) object {
	for _, c := range w.o.Channels {
		if c.ID == args["channel"] && (c.Member || !c.Private) {
			return object{"ok": true, "channel": c.shown()}
		}
	}
	return failure("channel_not_found")
}

func (c Channel) shown() object {
	return object{
		"id": c.ID, "name": c.Name, "name_normalized": c.Name, "is_channel": true, "is_private": c.Private,
		"is_archived": c.Archived, "is_member": c.Member, "created": 1449252889, "creator": "U012A3CDE",
	}
}

func (w *Workspace) userInfo(args arguments) object {
	for _, u := range w.o.Users {
		if u.ID != args["user"] {
			continue
		}
		profile := object{"real_name": u.RealName, "display_name": u.Name, "team": teamID}
		if w.may("users:read.email") {
			profile["email"] = u.Email
		}
		return object{"ok": true, "user": object{
			"id": u.ID, "team_id": teamID, "name": u.Name, "real_name": u.RealName, "deleted": false,
			"is_bot": false, "is_app_user": false, "tz": "Europe/Berlin", "updated": 1502138686, "profile": profile,
		}}
	}
	return failure("user_not_found")
}

// writable finds where a message goes: a channel by id or name, a person by user id.
func (w *Workspace) writable(where string) (id, problem string) {
	for _, u := range w.o.Users {
		if u.ID == where || directID(u.ID) == where {
			return directID(u.ID), ""
		}
	}
	name := strings.TrimPrefix(where, "#")
	for _, c := range w.o.Channels {
		if c.ID != where && c.Name != name {
			continue
		}
		switch {
		case c.Private && !c.Member:
			return "", "channel_not_found"
		case c.Archived:
			return "", "is_archived"
		case !c.Member && !w.may("chat:write.public"):
			return "", "not_in_channel"
		}
		return c.ID, ""
	}
	return "", "channel_not_found"
}

// isID tells whether a conversation of that id is visible to the bot.
func (w *Workspace) isID(id string) bool {
	return slices.ContainsFunc(w.o.Channels, func(c Channel) bool { return c.ID == id && (c.Member || !c.Private) }) ||
		slices.ContainsFunc(w.o.Users, func(u User) bool { return directID(u.ID) == id })
}

// directID is the conversation of the bot and a person.
func directID(user string) string { return "D" + strings.TrimPrefix(user, "U") }
