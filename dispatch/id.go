package dispatch

import (
	"strings"

	"github.com/google/uuid"
)

// The prefixes of ids; each id is prefix, underscore, UUIDv7.
const (
	PrefixBehaviorModel = "bhm"
	PrefixAction        = "acn"
	PrefixAPIConfig     = "cfg"
	PrefixActor         = "act"
	PrefixAlert         = "alr"
	PrefixDelivery      = "dlv"
	PrefixTicket        = "tkt"
	PrefixTicketEvent   = "evt"
	PrefixTicketLink    = "lnk"
	PrefixLambda        = "lam"
	PrefixNotification  = "ntf"
	PrefixToken         = "tok"
)

// NewID makes an id that grows with time within this process.
func NewID(prefix string) string {
	return prefix + "_" + uuid.Must(uuid.NewV7()).String()
}

// IDPrefix tells the type of an id; "" when the text is no id of ours.
func IDPrefix(id string) string {
	prefix, rest, ok := strings.Cut(id, "_")
	if !ok || len(rest) != 36 || uuid.Validate(rest) != nil {
		return ""
	}
	return prefix
}

// BuiltInActorID is the id of the instance of a kind that exists without being added.
func BuiltInActorID(kind string) string {
	return PrefixActor + "_" + uuid.NewSHA1(uuid.NameSpaceURL, []byte("tocsin/actor/"+kind)).String()
}
