package graph

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/internal/page"
)

func (r queries) Node(ctx context.Context, id string) (page.Node, error) { return r.node(ctx, id) }

func (r queries) Nodes(ctx context.Context, ids []string) ([]page.Node, error) {
	if len(ids) > maxNodes {
		return nil, refuse(gen.ErrorCodeBadRequest, "ids has %d entries; give at most %d", len(ids), maxNodes)
	}
	found := make([]page.Node, len(ids))
	errs := make([]error, len(ids))
	var all sync.WaitGroup // together, so that ids of one sort share a question
	for i, id := range ids {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = recovered(ctx, p)
				}
			}()
			found[i], errs[i] = r.node(ctx, id)
		})
	}
	all.Wait()
	for i, err := range errs {
		graphql.AddError(graphql.WithPathContext(ctx, graphql.NewPathWithIndex(i)), err)
	}
	return found, nil
}

// node loads whatever has the id; nil when nothing has. What READ does not
// show needs its own scope.
func (r resolver) node(ctx context.Context, id string) (page.Node, error) {
	load := loadersOf(ctx)
	switch dispatch.IDPrefix(id) {
	case dispatch.PrefixAlert:
		return node(one(ctx, &load.alerts, &id))
	case dispatch.PrefixTicket:
		return node(one(ctx, &load.tickets, &id))
	case dispatch.PrefixDelivery:
		return node(one(ctx, &load.deliveries, &id))
	case dispatch.PrefixTicketEvent:
		return node(one(ctx, &load.events, &id))
	case dispatch.PrefixTicketLink:
		return node(one(ctx, &load.links, &id))
	case dispatch.PrefixNotification:
		return node(one(ctx, &load.notifications, &id))
	case dispatch.PrefixToken:
		if c, need := callerOf(ctx), typeScopes["ApiToken"]; !c.May(need) {
			return nil, forbidden(c, need)
		}
		return node(one(ctx, &load.tokens, &id))
	}
	return r.configured(ctx, id)
}

// configured is the configured thing with the id; nil when there is none.
func (r resolver) configured(ctx context.Context, id string) (page.Node, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	switch dispatch.IDPrefix(id) {
	case dispatch.PrefixBehaviorModel:
		return node(find(cfg.BehaviorModels, &id), nil)
	case dispatch.PrefixAction:
		return node(find(cfg.Actions, &id), nil)
	case dispatch.PrefixLambda:
		return node(find(cfg.Lambdas, &id), nil)
	case dispatch.PrefixAPIConfig:
		return node(find(cfg.APIConfigs, &id), nil)
	case dispatch.PrefixActor:
		return node(find(cfg.Actors, &id), nil)
	}
	return nil, nil //nolint:nilnil // null is the answer
}

// node is nothing rather than a typed nil when there is no thing.
func node[T any](thing *T, err error) (page.Node, error) {
	if thing == nil || err != nil {
		return nil, err
	}
	return thing, nil
}
