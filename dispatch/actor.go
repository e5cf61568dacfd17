package dispatch

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"
)

// Kind is one sort of actor as it hangs on the notice board: plain data and
// one function.
type Kind struct {
	Name        string // the folder, the column and the API all say this
	Title       string
	Description string
	SetupHelp   string // CommonMark
	BuiltIn     bool   // an instance exists without being added
	// Settings is a pointer to the zero value of the actor's settings, secrets
	// included (`secret:"true"`); ConfigSettings one to the defaults of an API
	// config. Their tags are explained at Schema.
	Settings       any
	ConfigSettings any
	DefaultName    string // of an API config, such as "Notification-Default"
	Capabilities   []Capability
	// Mirror says that a copy shows the ticket in a place of ours, as a Slack
	// message does: it hears of changes that came from itself, too.
	Mirror bool
	// PollEvery is how often a Poller is asked; a minute when it is 0.
	PollEvery time.Duration
	// Idempotent says that a repeat with the same delivery id has no second
	// effect, so that an uncertain send is simply sent again.
	Idempotent bool
	// AtOnce is how many calls may run at once through one actor; 32 when it is 0.
	AtOnce int
	// Patience overrides how the retries of this kind are spaced; zero fields
	// take the default's.
	Patience Patience
	// Reads tells of a request that it changes nothing there, so that a dry run
	// may make it; nil when none is needed to say what would be sent.
	Reads func(r *http.Request) bool
	// Open makes a messenger from a filled pointer of Settings. It checks what
	// the tags cannot say and calls nobody.
	Open func(settings any, w World) (Messenger, error)
}

// NeedsActor tells whether an API config of this kind must name an actor.
func (k Kind) NeedsActor() bool { return !k.BuiltIn }

func (k Kind) atOnce() int {
	if k.AtOnce == 0 {
		return 32
	}
	return k.AtOnce
}

// tells says that its system tells changes as events, our own among them.
func (k Kind) tells() bool { return k.can(CanReceive) || k.can(CanListen) }

func (k Kind) can(c Capability) bool { return slices.Contains(k.Capabilities, c) }

// Capability is what an actor of a kind can do. Each one beside CanDeliver and
// CanEnrich stands for an interface of messenger.go that its messengers have.
type Capability string

// The capabilities.
const (
	CanDeliver Capability = "DELIVER" // sends alerts
	CanUpdate  Capability = "UPDATE"  // Updater
	CanReceive Capability = "RECEIVE" // Receiver
	CanPoll    Capability = "POLL"    // Poller or Asker
	CanListen  Capability = "LISTEN"  // Listener
	CanEnrich  Capability = "ENRICH"  // tells what the outside knows about the alert
)

// World is all that a messenger may touch.
type World struct {
	HTTP     *http.Client // guarded: reaches what the operator allows, follows no redirect
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Notify   func(ctx context.Context, n Notification) error // puts a message on the notifications page
	Log      *slog.Logger
	Instance string // names this server towards the outside: stable, not secret, safe in a Message-ID
}

// UncertainPolicy says what becomes of a send whose answer was lost, where
// nobody can be asked and a repeat would be seen twice.
type UncertainPolicy string

// The uncertain policies.
const (
	Resend UncertainPolicy = "RESEND"
	Park   UncertainPolicy = "PARK"
)

// Doubter is implemented by ConfigSettings that let the user choose the policy.
type Doubter interface{ OnUncertain() UncertainPolicy }

// Health is how an actor or an API config does.
type Health struct {
	Status              HealthStatus
	Since               *time.Time
	LastSuccessAt       *time.Time
	LastError           *string
	ConsecutiveFailures int
	WaitingDeliveries   int
}

// HealthStatus is the sum of a health.
type HealthStatus string

// The health statuses.
const (
	HealthUnknown  HealthStatus = "UNKNOWN"
	HealthHealthy  HealthStatus = "HEALTHY"
	HealthFailing  HealthStatus = "FAILING"
	HealthPaused   HealthStatus = "PAUSED"
	HealthDisabled HealthStatus = "DISABLED"
)
