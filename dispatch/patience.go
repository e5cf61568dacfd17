package dispatch

import (
	"time"
)

// Patience says how long and how often a delivery is tried.
type Patience struct {
	First  time.Duration // wait after the first failure; doubled for each further one
	Most   time.Duration // the longest wait
	GiveUp time.Duration // time spent trying after which a delivery fails
}

// DefaultPatience is the patience of a kind that states none.
var DefaultPatience = Patience{First: time.Second, Most: time.Hour, GiveUp: 24 * time.Hour}

func (p Patience) withDefaults() Patience {
	if p.First == 0 {
		p.First = DefaultPatience.First
	}
	if p.Most == 0 {
		p.Most = DefaultPatience.Most
	}
	if p.GiveUp == 0 {
		p.GiveUp = DefaultPatience.GiveUp
	}
	return p
}

// wait is the time until the next attempt: exponential with full jitter over
// its upper half. Chance is between 0 and 1. It grows with the time spent trying
// and not with the number of attempts, so that a delivery that was held up by
// rate limits, or that a person tries again, begins with short waits.
func (p Patience) wait(trying time.Duration, chance float64) time.Duration {
	most := p.First
	for least := p.First / 2; least <= trying && most < p.Most; least += most / 2 {
		most *= 2
	}
	most = min(most, p.Most)
	return most/2 + time.Duration(chance*float64(most/2))
}

// Settlement is what is written down of an attempt that ended.
type Settlement struct {
	DeliveryID string
	Attempt    int // fences: an attempt that was overtaken settles nothing
	Move       DeliveryMove
	Status     DeliveryStatus
	Reason     *string
	Trying     time.Duration // spent trying in all, asked waits not counted
	NextAt     *time.Time    // of a delivery that is not finished
	At         time.Time
	Record     Attempt
	Ref        Ref
	Rendered   JSON
	// TicketID is the ticket that the settlement touches; "" when it touches none.
	TicketID string
	// Link is the ticket's copy that was made or updated; the books find the one
	// that they have, by its id or by ticket, API config and external id, and
	// Touch makes of it what it is now. Also are further names of it. When the
	// ticket has another status than the copy by then, and no update is on its
	// way, Follow promises one.
	Link   *TicketLink
	Touch  func(TicketLink) TicketLink
	Also   []string
	Follow Follow
	// Note goes on the ticket's ledger as a comment of the actor.
	Note string
	// Fallback is the delivery promised instead of one that failed.
	Fallback *Delivery
	// Notices go on the notifications page with the settlement; PauseNotice does
	// if the actor was not paused before, so that of many calls that fail at once
	// one tells a person; DisableNotice if it has failed for DisableAfter.
	Notices       []Notification
	PauseNotice   *Notification
	DisableNotice *Notification
	// Health tells how the attempt speaks of its actor and its API config.
	ActorID, APIConfigID string
	Health               HealthStatus // HEALTHY, FAILING or PAUSED; "" says nothing
}
