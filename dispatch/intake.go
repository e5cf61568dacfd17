package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
)

// maxIntake bounds how many changes one transaction takes in.
const maxIntake = 200

// Receive takes a request to an actor's inbound address in and answers it. What
// it tells is in the books before the answer goes out. An address that nobody
// has is answered as a bad signature is.
func (d *Desk) Receive(ctx context.Context, actorID string, r Inbound) Reply {
	actor, ok := d.snapshot.Load().Actors[actorID]
	kind, known := d.Kind(actor.Kind)
	if !ok || !known || !kind.can(CanReceive) {
		return Reply{Status: http.StatusUnauthorized, Body: "no such address, or the signature is wrong\n"}
	}
	m, err := d.messengers.open(d, kind, actor)
	if err != nil {
		d.log.Warn("a webhook came for an actor that cannot be used", "actor", actorID, "error", err)
		return Reply{Status: http.StatusServiceUnavailable, Body: "the actor cannot be used now; try again later\n"}
	}
	r.Known = func(ctx context.Context, name string) (bool, error) { return d.store.IsNamed(ctx, actorID, name) }
	changes, reply := d.receive(ctx, m, actorID, r)
	if reply.Status == 0 {
		reply.Status = http.StatusAccepted
	}
	if reply.Status >= http.StatusMultipleChoices || len(changes) == 0 || !actor.Enabled {
		return reply
	}
	if err := d.take(ctx, actor, changes, false); err != nil {
		d.log.Warn("a webhook was not taken in; its sender is asked to come again", "actor", actorID, "error", err)
		return Reply{Status: http.StatusServiceUnavailable, Body: "not now; try again\n"}
	}
	return reply
}

// receive asks the messenger; one that falls has taken nothing in.
func (d *Desk) receive(ctx context.Context, m Messenger, actorID string, r Inbound) (changes []StatusChange, reply Reply) {
	defer func() {
		if fell := recover(); fell != nil {
			d.log.Error("an actor fell", "actor", actorID, "panic", fmt.Sprint(fell), "stack", string(debug.Stack()))
			changes, reply = nil, Reply{Status: http.StatusInternalServerError, Body: "the request could not be read; the log tells more\n"}
		}
	}()
	receiver, ok := m.(Receiver)
	if !ok {
		return nil, Reply{Status: http.StatusUnauthorized}
	}
	return receiver.Receive(ctx, r)
}

// take puts changes into the books and wakes who has work by that. Tell puts
// what is known of the copies in words on the ledger.
func (d *Desk) take(ctx context.Context, actor Actor, changes []StatusChange, tell bool) error {
	var all TakenIn
	for chunk := range slices.Chunk(changes, maxIntake) {
		f, now := d.follower(), moment()
		taken, err := d.store.TakeIn(lasting(ctx), Intake{
			ActorID: actor.ID, By: Origin{Kind: FromActor, Name: actor.Name, ActorID: &actor.ID}, At: now,
			Changes: chunk, Judge: judge(actor, now, tell), Follow: f.follow,
		})
		if err != nil {
			return err
		}
		all = all.plus(taken)
		d.ringLedger()
		f.ring()
	}
	d.counts.add(actor.ID, all)
	return nil
}

func (t TakenIn) plus(o TakenIn) TakenIn {
	return TakenIn{
		Applied: t.Applied + o.Applied, Ignored: t.Ignored + o.Ignored, Unknown: t.Unknown + o.Unknown,
		Repeated: t.Repeated + o.Repeated, Drifted: t.Drifted + o.Drifted,
	}
}

// syncCounts counts what came in, by actor, since the server began. The zero
// value is ready.
type syncCounts struct {
	mu   sync.Mutex
	byID map[string]TakenIn
}

func (c *syncCounts) add(actorID string, t TakenIn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[string]TakenIn{}
	}
	c.byID[actorID] = c.byID[actorID].plus(t)
}

// TakenIn counts what an actor has told since the server began.
func (d *Desk) TakenIn(actorID string) TakenIn {
	d.counts.mu.Lock()
	defer d.counts.mu.Unlock()
	return d.counts.byID[actorID]
}

// InboundURL is where an actor's system sends its webhooks; "" when its kind
// takes none.
func (d *Desk) InboundURL(a Actor) string {
	if kind, _ := d.Kind(a.Kind); !kind.can(CanReceive) {
		return ""
	}
	return d.publicURL + "/hooks/" + a.ID
}

// RefreshTicket asks every linked system that can be asked for the ticket's
// state, and takes in what they say. Those that gave no answer are the problems.
func (d *Desk) RefreshTicket(ctx context.Context, id string) (Ticket, error) {
	links, err := d.LinksOf(ctx, []string{id})
	if err != nil {
		return Ticket{}, err
	}
	byActor := map[string][]TicketLink{}
	for _, l := range links[id] {
		if l.State != LinkDetached {
			byActor[l.ActorID] = append(byActor[l.ActorID], l)
		}
	}
	problems := make(chan *UserError, len(byActor))
	for actorID, links := range byActor {
		go func() { problems <- d.refresh(ctx, actorID, links) }()
	}
	var c checker
	for range byActor {
		if p := <-problems; p != nil {
			c.problems = append(c.problems, *p)
		}
	}
	found, err := d.TicketsByID(ctx, []string{id})
	if err != nil {
		return Ticket{}, err
	}
	t, ok := found[id]
	if !ok {
		return t, unknown("id", "ticket")
	}
	return t, refused(c.problems)
}

func (d *Desk) refresh(ctx context.Context, actorID string, links []TicketLink) *UserError {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := d.ask(ctx, actorID, links, true)
	if err == nil {
		err = out.Err()
	}
	if err == nil {
		return nil
	}
	return &UserError{Code: CodeInvalidState, Path: []string{"id"}, Message: Cut(links[0].ActorName+" could not be asked: "+err.Error(), maxErrorKept)}
}

// ask asks an actor's system how copies stand and takes the answer in. One that
// cannot be asked has nothing to say.
func (d *Desk) ask(ctx context.Context, actorID string, links []TicketLink, tell bool) (Outcome, error) {
	actor, m, err := d.messengerOf(actorID)
	if err != nil {
		return Outcome{}, err
	}
	asker, ok := m.(Asker)
	if !ok {
		return Delivered(Ref{}), nil
	}
	changes, out := asker.Ask(ctx, links)
	if len(changes) == 0 {
		return out, nil
	}
	return out, d.take(ctx, actor, changes, tell)
}

// messengerOf opens the messenger of a configured actor.
func (d *Desk) messengerOf(actorID string) (Actor, Messenger, error) {
	actor, ok := d.snapshot.Load().Actors[actorID]
	if !ok {
		return actor, nil, errGone
	}
	kind, _ := d.Kind(actor.Kind)
	m, err := d.messengers.open(d, kind, actor)
	return actor, m, err
}

// InstallActorWebhook has an actor make its own webhook subscription and keeps
// the secret of it.
func (d *Desk) InstallActorWebhook(ctx context.Context, c Caller, in TestActorInput) (Actor, error) {
	if in.ID == nil {
		return Actor{}, Refuse(CodeRequired, "id", "is missing; name a stored actor: a draft has no address to send webhooks to")
	}
	actor, m, err := d.messengerOf(*in.ID)
	if errors.Is(err, errGone) {
		return Actor{}, unknown("id", "actor")
	}
	if err != nil {
		return Actor{}, err
	}
	installer, ok := m.(Installer)
	if !ok {
		return Actor{}, Refuse(CodeInvalidState, "id", "names an actor of a type that cannot make its webhook itself; set it up there, with the actor's inboundUrl")
	}
	calling, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	secrets, out := installer.Install(calling, d.InboundURL(actor))
	if out.Kind() != OutcomeDelivered {
		return Actor{}, Refuse(CodeInvalidState, "id", Cut("names an actor whose webhook was not made: "+out.Err().Error(), maxErrorKept))
	}
	return d.keepSecrets(ctx, c, actor, secrets)
}

func (d *Desk) keepSecrets(ctx context.Context, c Caller, actor Actor, secrets map[string]Secret) (Actor, error) {
	plain := make(map[string]string, len(secrets))
	for name, secret := range secrets {
		plain[name] = string(secret)
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return Actor{}, fmt.Errorf("keep the secrets of %s: %w", actor.ID, err)
	}
	return d.UpdateActor(lasting(ctx), c, UpdateActorInput{ID: actor.ID, Secrets: Maybe[JSON]{Given: true, Value: text}})
}
