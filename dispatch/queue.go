package dispatch

import (
	"context"
	"fmt"
	"slices"
)

// maxSelected bounds how many deliveries a filter changes in one call.
const maxSelected = 1000

// RetryDeliveries sends failed and canceled deliveries again: as they were
// promised, or through the API config and the actor of today. At most 1000 a call: ask again for more.
func (d *Desk) RetryDeliveries(ctx context.Context, c Caller, in RetryDeliveriesInput) ([]Delivery, error) {
	selection, err := selected(in.IDs, in.Filter)
	if err != nil {
		return nil, err
	}
	var anew func(Delivery) Delivery
	if orDefault(in.Rerender, false) {
		anew = d.snapshot.Load().today
	}
	found, err := d.store.RetryDeliveries(lasting(ctx), selection, anew, c.Origin(), moment(), maxSelected)
	return d.reached(in.IDs, found, err, "is neither FAILED nor CANCELED, so that there is nothing to send again")
}

// today gives a delivery the API config and the actor as they are now; one whose
// API config is gone stays as it was promised.
func (c *Configuration) today(d Delivery) Delivery {
	config, ok := c.APIConfigs[d.APIConfigID]
	if !ok {
		return d
	}
	d.APIConfigVersion, d.APIConfigName = config.Version, config.Name
	if actor, ok := c.ActorOf(config); ok && d.Kind == Notify { // a copy stays with the actor that has it
		d.ActorID, d.ActorName = actor.ID, actor.Name
	}
	return d
}

// CancelDeliveries gives up deliveries that wait. One that is being sent at
// this moment is left alone. At most 1000 a call.
func (d *Desk) CancelDeliveries(ctx context.Context, c Caller, in CancelDeliveriesInput) ([]Delivery, error) {
	selection, err := selected(in.IDs, in.Filter)
	if err != nil {
		return nil, err
	}
	var check checker
	check.optional("reason", in.Reason, maxSummary)
	if err := refused(check.problems); err != nil {
		return nil, err
	}
	reason := orDefault(in.Reason, "canceled by "+c.Name)
	found, err := d.store.CancelDeliveries(lasting(ctx), selection, reason, c.Origin(), moment(), maxSelected)
	return d.reached(in.IDs, found, err, "is not waiting, or is being sent at this moment")
}

func selected(ids []string, filter *DeliveryFilter) (Selection, error) {
	if ids == nil && filter == nil {
		return Selection{}, Refuse(CodeRequired, "ids", "and filter are both missing; name deliveries by one of them")
	}
	if ids != nil && filter != nil {
		return Selection{}, Refuse(CodeInvalid, "filter", "is given beside ids; name deliveries by one of them")
	}
	if len(ids) > maxTogether {
		return Selection{}, Refuse(CodeLimitExceeded, "ids", fmt.Sprintf("has %d entries; give at most %d", len(ids), maxTogether))
	}
	return Selection{IDs: ids, Filter: filter}, nil
}

// reached rings for the deliveries that changed and refuses the named ones that
// did not.
func (d *Desk) reached(ids []string, found []Delivery, err error, why string) ([]Delivery, error) {
	if err != nil {
		return nil, err
	}
	rung := map[string]bool{}
	for _, delivery := range found {
		if !rung[delivery.ActorID] {
			rung[delivery.ActorID] = true
			d.bell.Ring(ringActor(delivery.ActorID))
		}
	}
	if len(found) > 0 {
		d.bell.Ring(ringConfiguration) // an actor that is gone may need a line again
		d.ringLedger()
	}
	var c checker
	for i, id := range ids {
		if !slices.ContainsFunc(found, func(delivery Delivery) bool { return delivery.ID == id }) {
			c.add(CodeInvalidState, fmt.Sprintf("ids.%d", i), why+", or names no delivery")
		}
	}
	return found, refused(c.problems)
}
