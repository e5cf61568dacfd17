package dispatch

import "time"

// BehaviorModel is a detection that can raise alerts, known by its name.
type BehaviorModel struct {
	ID          string
	Name        string
	Group       *string
	Description *string
	Enabled     bool
	Severity    Severity // of its alerts that state none
	Version     int
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Action says what is done when one of its behavior models raises an alert.
type Action struct {
	ID               string
	Name             string
	Description      *string
	Enabled          bool
	BehaviorModelIDs []string
	BehaviorGroups   []string
	AllModels        bool
	Condition        *string  // CEL; nil means always
	LambdaIDs        []string // run in this order
	APIConfigIDs     []string
	TicketPolicy     TicketPolicy
	Renotify         Renotify
	RenotifyAfter    *time.Duration
	Version          int
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// TicketPolicy says which ticket a fired action's alert belongs to.
type TicketPolicy string

// The ticket policies. PER_ALERT wins over PER_DEDUP_KEY when both fire.
const (
	PerDedupKey TicketPolicy = "PER_DEDUP_KEY"
	PerAlert    TicketPolicy = "PER_ALERT"
	NoTicket    TicketPolicy = "NEVER"
)

// Renotify says whether an alert that joins an open ticket goes out again.
type Renotify string

// The renotify rules.
const (
	RenotifyAlways         Renotify = "ALWAYS"
	RenotifyWhenMoreSevere Renotify = "WHEN_MORE_SEVERE"
	RenotifyAfterInterval  Renotify = "AFTER_INTERVAL"
	RenotifyNever          Renotify = "NEVER"
)

// Decision is why one action did or did not fire for one alert.
type Decision struct {
	AlertID    string
	ActionID   string
	ActionName string
	Verdict    Verdict
	Reason     string // one sentence for a person
	Problems   []string
	Trace      Trace
	Requests   []RenderedRequest // of a dry run only
}

// Verdict is how a decision ended.
type Verdict string

// The verdicts that this version gives.
const (
	Fired           Verdict = "FIRED"
	ActionDisabled  Verdict = "DISABLED"
	ModelNotCovered Verdict = "MODEL_NOT_COVERED"
	ModelDisabled   Verdict = "MODEL_DISABLED"
	ConditionFalse  Verdict = "CONDITION_FALSE"
	DroppedByLambda Verdict = "DROPPED_BY_LAMBDA"
	StoppedByLambda Verdict = "STOPPED_BY_LAMBDA_ERROR"
	HeldByRenotify  Verdict = "HELD_BY_RENOTIFY"
)

// APIConfig is how one kind of actor is used: which channel, which words.
// Every version of it is kept, so that a delivery is sent as it was promised.
type APIConfig struct {
	ID         string
	Name       string
	Kind       string  // the actor type's name
	ActorID    *string // nil: the built-in instance of the kind
	Settings   JSON    // an object, valid against the kind's config settings
	FallbackID *string
	Version    int
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Actor is a configured external system: its address and its credentials.
type Actor struct {
	ID        string
	Name      string
	Kind      string
	BuiltIn   bool
	Enabled   bool
	Sync      SyncDirection
	Settings  JSON              // an object without the secrets
	Secrets   map[string]Secret // by field; in memory only, sealed in the books
	SecretAt  map[string]time.Time
	Version   int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// SecretState tells that a secret is set and since when, never its value.
type SecretState struct {
	Field     string
	IsSet     bool
	ChangedAt *time.Time
}

// Secret is a text that prints as a mask wherever it lands.
type Secret string

const mask = "********"

// String is a mask.
func (Secret) String() string { return mask }

// GoString is a mask.
func (Secret) GoString() string { return mask }

// MarshalText is a mask: a secret never leaves by JSON or a log.
func (Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }
