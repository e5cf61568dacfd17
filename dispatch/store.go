package dispatch

import (
	"context"
	"time"
)

// Store is what the hub asks of the books. One method is one transaction, read
// methods one snapshot; time comes from the caller. What a write method says
// it has written survives a crash. Errors are the sentinels of refusal.go,
// wrapped, or the database's own.
type Store interface {
	ConfigurationStore
	RaiseStore
	QueueStore
	TicketStore
	SyncStore
	ReadStore
	LedgerStore
	TokenStore

	// Ready is nil when the books can be written now; else it says why not.
	Ready(ctx context.Context) error
	// Instance is the random name that this set of books got when it was made.
	Instance() string
	// Close ends all connections after the running transactions have ended.
	Close() error
}

// ConfigurationStore keeps what is configured.
type ConfigurationStore interface {
	// Configuration reads all of it at one version.
	Configuration(ctx context.Context) (*Configuration, error)
	// ConfigurationVersion grows with every change.
	ConfigurationVersion(ctx context.Context) (int64, error)
	// Configure writes a change that was worked out on top of Base. ErrStale when
	// the version moved since. With a Repeat that came before it changes nothing
	// and returns the id of the first answer.
	Configure(ctx context.Context, c ConfigurationChange) (firstID string, err error)
	// FirstAnswer is the id that a Repeat was answered with before; "" when it is
	// new. ErrKeyReused when it came with another input.
	FirstAnswer(ctx context.Context, r Repeat, now time.Time) (id string, err error)
	// LambdaAt reads a lambda as it was at a version, deleted ones too.
	LambdaAt(ctx context.Context, id string, version int) (Lambda, error)
	// APIConfigAt reads an API config as it was at a version, deleted ones too.
	APIConfigAt(ctx context.Context, id string, version int) (APIConfig, error)
}

// ConfigurationChange is a change of the configuration as one transaction.
type ConfigurationChange struct {
	Base   int64 // the version it was worked out on
	At     time.Time
	By     Origin
	Put    Nouns // written whole, new or changed
	Remove []string
	Events []ConfigurationEvent // Seq is given by the books
	Repeat *Repeat
	ID     string // the thing that the caller hears of, kept with Repeat
	// Resume lists actors whose pause ends with this change: their health goes
	// back to UNKNOWN.
	Resume []string
}

// Nouns are the configured things by sort.
type Nouns struct {
	BehaviorModels []BehaviorModel
	Actions        []Action
	APIConfigs     []APIConfig
	Lambdas        []Lambda
	Actors         []Actor
}

// ConfigurationEvent is one change of a configured thing.
type ConfigurationEvent struct {
	Seq        int64
	At         time.Time
	By         Origin
	Kind       ChangeKind
	Type       ConfigurationType
	TargetID   string
	TargetName string
	Version    int
}

// Cursor is the event's place in the ledger, as clients see it.
func (e ConfigurationEvent) Cursor() string { return LedgerCursor(e.Seq) }

// ChangeKind is what became of a configured thing.
type ChangeKind string

// The change kinds.
const (
	Created ChangeKind = "CREATED"
	Updated ChangeKind = "UPDATED"
	Deleted ChangeKind = "DELETED"
)

// ConfigurationType is the sort of a configured thing.
type ConfigurationType string

// The configuration types.
const (
	TypeAction        ConfigurationType = "ACTION"
	TypeAPIConfig     ConfigurationType = "API_CONFIG"
	TypeActor         ConfigurationType = "ACTOR"
	TypeBehaviorModel ConfigurationType = "BEHAVIOR_MODEL"
	TypeLambda        ConfigurationType = "LAMBDA"
)

// RaiseStore takes alerts in.
type RaiseStore interface {
	// OpenTickets reads the tickets that are not closed, by dedup key.
	OpenTickets(ctx context.Context, dedupKeys []string) (map[string]OpenTicket, error)
	// Raise commits each member, or says why not, independently of the others.
	// It returns one result a member, in order, when all are durable. Calls that
	// meet share a transaction; a caller that gives up only stops waiting.
	Raise(ctx context.Context, members []Raising) []Raised
}

// Raising is an alert with what follows from it.
type Raising struct {
	Alert  Alert // its TicketID is set by the books
	Plan   Plan
	Repeat *Repeat
	// Open is the ticket that the plan was made on; nil when there was none.
	Open *OpenTicket
	// Replan makes the plan for another ticket than Open, or for none. The books
	// call it inside the transaction when the ticket moved since. Pure and quick.
	Replan func(open *OpenTicket) Plan
	// Begin tells until when a delivery that opens its ticket is leased to a
	// courier who waits for it, nil when there is none. The books may ask again
	// for the same delivery. Quick; nil for no couriers.
	Begin func(Delivery) *time.Time
	// ConfigurationVersion is what the plan was made on; when it moved, the
	// member's result is ErrStale.
	ConfigurationVersion int64
}

// Plan is what follows from an alert: pure data, worked out before anything is stored.
type Plan struct {
	Decisions []Decision
	// Ticket says which ticket the alert belongs to. With PER_DEDUP_KEY it joins
	// the open one, if there is one; NewTicket is the one to open else.
	Ticket    TicketPolicy
	NewTicket Ticket // Number is given by the books
	// Fired are the ids of the actions that fired, to be kept with the ticket.
	Fired []string
	// Deliveries are promised; their TicketID is set by the books.
	Deliveries []Delivery
	// Promised is counted on its own: fired decisions × their API configs.
	Promised int
	// Unready: a lambda has to run first, which it cannot inside the books.
	Unready bool
}

// Raised is what became of a member.
type Raised struct {
	AlertID      string
	TicketID     *string
	TicketNumber *int
	TicketStatus *TicketStatus
	DeliveryIDs  []string
	ActorIDs     []string // whose couriers have work now
	Begun        []Claimed
	IsRepeat     bool
	Err          error
}

// QueueStore hands deliveries out to couriers. A delivery that is leased is
// touched by nobody but its holder.
type QueueStore interface {
	// Claim leases up to Max deliveries of one actor that are due, the earliest
	// first: PENDING and UNCERTAIN ones whose order key has no earlier
	// unfinished sibling. It counts the attempt and writes its row. ErrPaused
	// tells that nothing may go to that actor now.
	Claim(ctx context.Context, c Claim) ([]Claimed, error)
	// WaitingActors are the ids of the actors, deleted ones too, that have
	// deliveries PENDING or UNCERTAIN.
	WaitingActors(ctx context.Context) ([]string, error)
	// NextDue is when the earliest delivery of the actor is due; nil without one.
	NextDue(ctx context.Context, actorID string) (*time.Time, error)
	// Settle writes each settlement, or says ErrFenced. A settlement that comes
	// too late still records its Ref. Its result follows the order given.
	Settle(ctx context.Context, settlements []Settlement) []error
	// Recover ends the attempts of the actor's deliveries whose lease ran out
	// before a time: the attempt becomes LOST, the delivery To. It returns how many.
	Recover(ctx context.Context, actorID string, before, now time.Time, to DeliveryStatus) (int, error)
	// RetryDeliveries makes FAILED and CANCELED ones PENDING again, due now; others
	// are left as they are. At most limit of them. Anew, where it is given, gives
	// each the API config and the actor of today; it is then rendered again.
	RetryDeliveries(ctx context.Context, f Selection, anew func(Delivery) Delivery, by Origin, now time.Time, limit int) ([]Delivery, error)
	// CancelDeliveries makes PENDING ones that are not leased CANCELED. At most limit of them.
	CancelDeliveries(ctx context.Context, f Selection, reason string, by Origin, now time.Time, limit int) ([]Delivery, error)
	// Healths reads how actors or API configs do, by id; those never tried are absent.
	Healths(ctx context.Context, ids []string) (map[string]Health, error)
	// Resume ends a pause: a PAUSED health goes back to UNKNOWN, any other stays.
	Resume(ctx context.Context, actorID string, now time.Time) error
	// AddNotification puts a message on the page; a second one of the same
	// delivery is not added.
	AddNotification(ctx context.Context, n Notification) error
}

// Selection is a choice of deliveries: by id, or by filter when IDs is nil.
type Selection struct {
	IDs    []string
	Filter *DeliveryFilter
}

// Claim is what a courier asks for.
type Claim struct {
	ActorID string
	Now     time.Time
	Until   time.Time // the end of the lease
	Max     int
	// APIConfigIDs narrows the claim to alerts on their way through these; nil
	// means all deliveries.
	APIConfigIDs []string
	// Paused claims from an actor that is paused or disabled, too.
	Paused bool
}

// Claimed is a leased delivery with what it carries.
type Claimed struct {
	Delivery Delivery // Attempt is the one that runs now
	Alert    Alert
	Ticket   *Ticket
	// Link is the copy that an UPDATE is for, or of a NOTIFY the copy that the
	// ticket has through the same API config; nil when there is none.
	Link *TicketLink
}

// SyncStore keeps tickets and their copies the same.
type SyncStore interface {
	// TakeIn takes in what an actor's system says, all of it in one transaction.
	// ErrUnsettled when a change is about a ticket whose delivery to that actor is
	// not settled yet: it is to be handed in again.
	TakeIn(ctx context.Context, in Intake) (TakenIn, error)
	// IsNamed tells whether a link of the actor goes by a name.
	IsNamed(ctx context.Context, actorID, name string) (bool, error)
	// LinksToAsk are links of an actor that are not detached and whose ticket is
	// not closed, or was closed at or after a time, in the order of their ids,
	// from behind an id on; at most limit.
	LinksToAsk(ctx context.Context, actorID string, closedSince time.Time, after string, limit int) ([]TicketLink, error)
	// BeginRound leases a round of an actor when it is due and nobody is at it.
	// Cursor is what the last one ended with.
	BeginRound(ctx context.Context, r Round) (cursor string, begun bool, err error)
	// EndRound gives the lease back; the next round is due at Next.
	EndRound(ctx context.Context, r Round, cursor string) error
	// Observe keeps how an actor does, told by something else than a delivery.
	Observe(ctx context.Context, o Observation) error
}

// Intake is what an actor's system says. Judge and Follow are called inside the
// transaction.
type Intake struct {
	ActorID string
	By      Origin // the actor; a change that says who did it has that name
	At      time.Time
	Changes []StatusChange
	Judge   Judge
	Follow  Follow
}

// TakenIn counts what became of changes, by link where they name several.
type TakenIn struct {
	Applied, Ignored, Unknown, Repeated int
	Drifted                             int // the two sides differed without an event
}

// Round is something that one process at a time does for an actor.
type Round struct {
	ActorID string
	Name    string // "poll" or "ask"
	Now     time.Time
	Until   time.Time // the end of the lease
	Next    time.Time // when the next one is due
}

// Observation is what was seen of an actor.
type Observation struct {
	ActorID       string
	APIConfigID   string // "" when it is of no API config
	Health        HealthStatus
	Reason        *string
	Problems      []string // of the API config: passed over while it went well
	At            time.Time
	PauseNotice   *Notification // told when the actor was not paused before
	DisableNotice *Notification // told when it has failed for DisableAfter
}

// DisableAfter is how long an actor may fail at everything before nothing more
// is sent to it until a person looks.
const DisableAfter = 5 * 24 * time.Hour

// TicketStore moves tickets by hand.
type TicketStore interface {
	// MoveTickets moves each ticket, or says why not, each on its own. Closing
	// cancels its deliveries that are pending, not leased and never attempted.
	// A ticket that has the status already is answered as it is.
	MoveTickets(ctx context.Context, m TicketMove) ([]Ticket, []error, error)
	// AssignTickets gives tickets to somebody, nil to nobody.
	AssignTickets(ctx context.Context, ids []string, assignee, comment *string, by Origin, now time.Time) ([]Ticket, []error, error)
	// CommentOnTicket adds a line to the ledger.
	CommentOnTicket(ctx context.Context, id, text string, by Origin, now time.Time, r *Repeat) (Ticket, error)
	// MarkNotificationsRead marks those, or all when ids is nil, and returns how
	// many are unread then.
	MarkNotificationsRead(ctx context.Context, ids []string, now time.Time) (int, error)
}

// TicketMove is a move of some tickets to one status. Follow is called inside
// the transaction, for each ticket that moved.
type TicketMove struct {
	Tickets []TicketRef
	To      TicketStatus
	Comment *string
	By      Origin
	At      time.Time
	Repeat  *Repeat
	Follow  Follow
}

// TicketRef names a ticket and, if given, the version that it must still have.
type TicketRef struct {
	ID              string
	ExpectedVersion *int
}

// ReadStore answers questions. The methods that take ids return what exists,
// by id; a page is one snapshot, newest first unless said.
type ReadStore interface {
	AlertsByID(ctx context.Context, ids []string) (map[string]Alert, error)
	TicketsByID(ctx context.Context, ids []string) (map[string]Ticket, error)
	TicketByNumber(ctx context.Context, number int) (Ticket, error)
	DeliveriesByID(ctx context.Context, ids []string) (map[string]Delivery, error)
	NotificationsByID(ctx context.Context, ids []string) (map[string]Notification, error)
	TicketEventsByID(ctx context.Context, ids []string) (map[string]TicketEvent, error)
	LinksByID(ctx context.Context, ids []string) (map[string]TicketLink, error)

	// By owner, oldest first.
	DecisionsOf(ctx context.Context, alertIDs []string) (map[string][]Decision, error)
	DeliveriesOf(ctx context.Context, alertIDs []string) (map[string][]Delivery, error)
	AttemptsOf(ctx context.Context, deliveryIDs []string) (map[string][]Attempt, error)
	LinksOf(ctx context.Context, ticketIDs []string) (map[string][]TicketLink, error)

	Alerts(ctx context.Context, f AlertFilter, p Page) (List[Alert], error)
	CountAlerts(ctx context.Context, f AlertFilter, limit int) (Count, error)
	Deliveries(ctx context.Context, f DeliveryFilter, p Page) (List[Delivery], error)
	CountDeliveries(ctx context.Context, f DeliveryFilter, limit int) (Count, error)
	// AlertsOfTickets and DeliveriesOfTickets read the first page of each ticket,
	// as Alerts and Deliveries would one by one.
	AlertsOfTickets(ctx context.Context, ticketIDs []string, first int) (map[string]List[Alert], error)
	DeliveriesOfTickets(ctx context.Context, ticketIDs []string, first int) (map[string]List[Delivery], error)
	// Tickets also returns the head of the ledger in the same snapshot.
	Tickets(ctx context.Context, f TicketFilter, o TicketOrder, p Page) (List[Ticket], int64, error)
	CountTickets(ctx context.Context, f TicketFilter, limit int) (Count, error)
	// TicketEvents reads the ledger; with a filter, lines whose ticket matches
	// after or before them (MatchesNow says which). Its cursors are ledger cursors.
	TicketEvents(ctx context.Context, f TicketEventFilter, d OrderDirection, p Page) (List[TicketEvent], error)
	CountTicketEvents(ctx context.Context, f TicketEventFilter, limit int) (Count, error)
	Notifications(ctx context.Context, unread *bool, p Page) (List[Notification], error)
	CountNotifications(ctx context.Context, unread *bool, limit int) (Count, error)

	// ActionStats reads, by action id, when it last fired and how many of its
	// deliveries have failed.
	ActionStats(ctx context.Context, actionIDs []string) (map[string]ActionStats, error)
	Accounting(ctx context.Context) (Accounting, error)
}

// AlertFilter selects alerts; all that is given must hold, a list means any of it.
type AlertFilter struct {
	BehaviorModels []string
	Keys           []string
	Severities     []Severity
	Since          *time.Time // inclusive, of ReceivedAt
	Until          *time.Time // exclusive
	Text           *string    // every word must begin one of AlertWords
	TicketID       *string
}

// TicketEventFilter selects lines of the ledger.
type TicketEventFilter struct {
	TicketID *string
	Kinds    []TicketEventKind
	Ticket   *TicketFilter
}

// ActionStats is what is counted of an action.
type ActionStats struct {
	LastFiredAt      *time.Time
	FailedDeliveries int
}

// LedgerStore reads the ledger for those who follow it: lines after a number,
// in order, at most limit. ErrCursorExpired when the number is older than what
// is kept or ahead of the head.
type LedgerStore interface {
	LedgerHead(ctx context.Context) (int64, error)
	TicketEventsAfter(ctx context.Context, seq int64, limit int) ([]TicketEvent, error)
	DeliveryEventsAfter(ctx context.Context, seq int64, limit int) ([]DeliveryEvent, error)
	ConfigurationEventsAfter(ctx context.Context, seq int64, limit int) ([]ConfigurationEvent, error)
	NotificationsAfter(ctx context.Context, seq int64, limit int) ([]Notification, error)
}

// TokenStore keeps API tokens.
type TokenStore interface {
	// CreateToken stores a token; with a Repeat that came before, it stores
	// nothing and returns the first one.
	CreateToken(ctx context.Context, t APIToken, r *Repeat) (first *APIToken, err error)
	Tokens(ctx context.Context) ([]APIToken, error)
	TokenByHash(ctx context.Context, hash []byte) (APIToken, error)
	TokensByID(ctx context.Context, ids []string) (map[string]APIToken, error)
	RevokeToken(ctx context.Context, id string, now time.Time) (APIToken, error)
	// TouchTokens keeps when tokens were last used, by id.
	TouchTokens(ctx context.Context, used map[string]time.Time) error
}
