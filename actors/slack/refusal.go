package slack

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// pause is waited after a rate limit that names no time.
const pause = 30 * time.Second

// patient gives a rate limit without a time one.
func patient(c *call.Call, out dispatch.Outcome) dispatch.Outcome {
	if c.Status() == http.StatusTooManyRequests {
		return out.After(cmp.Or(out.Wait(), pause))
	}
	return out
}

// The errors of Slack that are not about the message itself.
// Source: docs.slack.dev, errors of chat.postMessage and auth.test.
var (
	credential = []string{
		"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission",
		"not_allowed_token_type", "org_login_required", "two_factor_setup_required", "access_denied",
		"accesslimited", "app_access_restricted",
	}
	rateLimit = []string{"ratelimited", "rate_limited", "message_limit_exceeded"}
	// perhapsDone errors can come after a part of the work was done.
	perhapsDone = []string{"internal_error", "fatal_error"}
	passing     = []string{
		"service_unavailable", "request_timeout", "team_added_to_org", "update_failed", "external_channel_migrating",
	}
	remedies = map[string]string{
		"channel_not_found":                        "give another channel, or its id, and invite the bot if it is private",
		"not_in_channel":                           "invite the bot to the channel, or give the app the scope chat:write.public",
		"is_archived":                              "the channel is archived: give another one, or unarchive it",
		"restricted_action":                        "the workspace lets only some people post there: give another channel, or ask its admin",
		"restricted_action_read_only_channel":      "the channel is read-only: give another one",
		"restricted_action_thread_only_channel":    "the channel takes replies only: give another one",
		"restricted_action_non_threadable_channel": "the channel takes no such message: give another one",
		"ekm_access_denied":                        "the workspace's key management denies access: ask its admin",
		"messages_tab_disabled":                    "turn on the Messages tab in the app's App Home",
		"team_not_found":                           "the workspace is unknown: copy the token again",
		"user_not_found":                           "give the id of a person of this workspace",
		"user_not_in_channel":                      "give another channel",
		"enterprise_is_restricted":                 "the organization restricts this: ask its admin",
	}
)

// refusal is the outcome of an error that Slack reports with HTTP 200.
func refusal(c *call.Call, said slack.SlackErrorResponse) dispatch.Outcome {
	is := func(list []string) bool { return slices.Contains(list, said.Err) }
	switch {
	case said.Err == "missing_scope":
		return dispatch.Misconfigured(c.Masked("slack: missing_scope: the app lacks the scope " + cmp.Or(said.Needed, "chat:write") +
			"; add it under OAuth & Permissions and install the app again"))
	case is(credential):
		return dispatch.Misconfigured(c.Masked("slack: " + said.Err + ": secrets.botToken is not accepted; install the app again and copy its token"))
	case is(rateLimit):
		return dispatch.Deferred(c.Masked("slack: " + said.Err)).After(cmp.Or(c.Wait(), pause))
	case is(perhapsDone):
		return dispatch.Unsure(c.Masked("slack: " + said.Err + ": it may have been done all the same"))
	case is(passing):
		return dispatch.Deferred(c.Masked("slack: " + said.Err)).After(c.Wait())
	default:
		return dispatch.Refused(because(c, said))
	}
}

// because says what Slack says, and what a person can do.
func because(c *call.Call, said slack.SlackErrorResponse) error {
	parts := []string{"slack: " + said.Err}
	if remedy := remedies[said.Err]; remedy != "" {
		parts = append(parts, remedy)
	}
	parts = append(parts, said.ResponseMetadata.Messages...)
	return errors.New(dispatch.Cut(c.Masked(strings.Join(parts, ": ")).Error(), 1000))
}
