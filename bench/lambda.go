package main

import (
	"context"
	"path/filepath"
	"sync/atomic"
)

// lambdaBench weighs a lambda: the same raises on the same server, through an
// action with a lambda and through one without.
type lambdaBench struct {
	rounds
	Concurrency int `help:"Clients at once." default:"16"`
}

const enrich = `export default (alert: any, ctx: any) => {
	if (ctx.cidr(alert.attributes.ip, "10.0.0.0/8")) return null;
	alert.attributes.team = ctx.config.teams[alert.attributes.country] ?? "none";
	return alert;
};`

// Run takes the raises without a lambda for the limit.
func (b *lambdaBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *lambdaBench) measure(ctx context.Context, t *table) error {
	return inFolder(func(dir string) error {
		h, err := open(ctx, filepath.Join(dir, "server"))
		if err != nil {
			return err
		}
		if err := b.configure(ctx, h); err != nil {
			return err
		}
		var n atomic.Int64
		raise := func(model string) func() (figures, error) {
			one := alert(model, placeNumber)
			one["behaviorModel"] = model
			f := formOf(body(raiseMutation, map[string]any{"in": one}))
			return func() (figures, error) {
				return load(ctx, b.Concurrency, b.Duration, target{h.process, "/graphql", h.token}, func(c *caller, _ int) error {
					_, err := c.post(f.with(int(n.Add(1))), `"deliveryCount":1`)
					return err
				})
			}
		}
		r, err := b.compare("raise with a lambda", raise("With"), raise("Without"))
		if err != nil {
			return err
		}
		r.Note = "the limit is the same raise without a lambda"
		t.add(r)
		return h.stop()
	})
}

func (b *lambdaBench) configure(ctx context.Context, h *house) error {
	config, err := h.create(ctx, "createApiConfig", "apiConfig", map[string]any{"actorType": "notification"})
	if err != nil {
		return err
	}
	lambda, err := h.create(ctx, "createLambda", "lambda", map[string]any{
		"name": "Enrich", "source": enrich, "config": map[string]any{"teams": map[string]any{"PE": "south"}},
	})
	if err != nil {
		return err
	}
	for model, lambdas := range map[string][]string{"With": {lambda}, "Without": {}} {
		id, err := h.create(ctx, "createBehaviorModel", "behaviorModel", map[string]any{"name": model})
		if err != nil {
			return err
		}
		_, err = h.create(ctx, "createAction", "action", map[string]any{
			"name": model, "behaviorModelIds": []string{id}, "apiConfigIds": []string{config}, "lambdaIds": lambdas,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
