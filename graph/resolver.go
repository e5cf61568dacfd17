package graph

import (
	"context"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/internal/page"
)

// resolver answers the fields that the hub's structs do not hold, one type of
// the schema each. All say the same thing in as many words: ask the desk.
type resolver struct {
	desk      *dispatch.Desk
	publicURL string
	server    *gen.Server // what `server` answers; it never changes
}

type (
	queries        struct{ resolver }
	mutations      struct{ resolver }
	subscriptions  struct{ resolver }
	actions        struct{ resolver }
	actors         struct{ resolver }
	actorTypes     struct{}
	alerts         struct{ resolver }
	apiConfigs     struct{ resolver }
	attempts       struct{}
	behaviorModels struct{ resolver }
	configEvents   struct{ resolver }
	decisions      struct{ resolver }
	deliveries     struct{ resolver }
	lambdas        struct{ resolver }
	notifications  struct{}
	origins        struct{ resolver }
	raised         struct{}
	requests       struct{ resolver }
	tickets        struct{ resolver }
	ticketEvents   struct{}
	ticketLinks    struct{ resolver }
)

// The generated code asks for a resolver of each type.

func (r resolver) Query() gen.QueryResolver                           { return queries{r} }
func (r resolver) Mutation() gen.MutationResolver                     { return mutations{r} }
func (r resolver) Subscription() gen.SubscriptionResolver             { return subscriptions{r} }
func (r resolver) Action() gen.ActionResolver                         { return actions{r} }
func (r resolver) Actor() gen.ActorResolver                           { return actors{r} }
func (r resolver) ActorType() gen.ActorTypeResolver                   { return actorTypes{} }
func (r resolver) Alert() gen.AlertResolver                           { return alerts{r} }
func (r resolver) ApiConfig() gen.ApiConfigResolver                   { return apiConfigs{r} } //nolint:revive // the name is the schema's
func (r resolver) Attempt() gen.AttemptResolver                       { return attempts{} }
func (r resolver) BehaviorModel() gen.BehaviorModelResolver           { return behaviorModels{r} }
func (r resolver) ConfigurationEvent() gen.ConfigurationEventResolver { return configEvents{r} }
func (r resolver) Decision() gen.DecisionResolver                     { return decisions{r} }
func (r resolver) Delivery() gen.DeliveryResolver                     { return deliveries{r} }
func (r resolver) Lambda() gen.LambdaResolver                         { return lambdas{r} }
func (r resolver) Notification() gen.NotificationResolver             { return notifications{} }
func (r resolver) Origin() gen.OriginResolver                         { return origins{r} }
func (r resolver) RaiseAlertPayload() gen.RaiseAlertPayloadResolver   { return raised{} }
func (r resolver) RenderedRequest() gen.RenderedRequestResolver       { return requests{r} }
func (r resolver) Ticket() gen.TicketResolver                         { return tickets{r} }
func (r resolver) TicketEvent() gen.TicketEventResolver               { return ticketEvents{} }
func (r resolver) TicketLink() gen.TicketLinkResolver                 { return ticketLinks{r} }

// pageOf is the one place where page sizes are held to their bounds.
func pageOf(first *int, after *string) (dispatch.Page, error) {
	p := dispatch.Page{First: defaultPageSize}
	if first != nil {
		p.First = *first
	}
	if after != nil {
		p.After = *after
	}
	if p.First < 1 || p.First > maxPageSize {
		return p, refuse(gen.ErrorCodeBadRequest, "first is %d; give a number from 1 to %d", p.First, maxPageSize)
	}
	return p, nil
}

// countLimit is where a count of a list stops.
const countLimit = 10_000

// connection makes a page of a list that is asked for by a filter.
func connection[T, F any](
	ctx context.Context, first *int, after *string, filter F,
	list func(context.Context, F, dispatch.Page) (dispatch.List[T], error),
	count func(context.Context, F, int) (dispatch.Count, error),
) (page.Connection[T], error) {
	p, err := pageOf(first, after)
	if err == nil {
		err = tooWide(filter)
	}
	if err != nil {
		return page.Connection[T]{}, err
	}
	l, err := list(ctx, filter, p)
	return page.Of(l, func(ctx context.Context) (dispatch.Count, error) { return count(ctx, filter, countLimit) }), err
}

// startOf asks for the first page of what belongs to an owner together with
// those of others; for later pages it asks as list does.
func startOf[T, F any](pages *pages[T], owner string, list func(context.Context, F, dispatch.Page) (dispatch.List[T], error)) func(context.Context, F, dispatch.Page) (dispatch.List[T], error) {
	return func(ctx context.Context, filter F, p dispatch.Page) (dispatch.List[T], error) {
		if p.After == "" {
			return pages.load(ctx, owner, p.First)
		}
		return list(ctx, filter, p)
	}
}

// named makes a page of what is configured. Counting asks for the whole list:
// it is in memory.
func named[T any](first *int, after *string, list func(dispatch.Page) (dispatch.List[T], error)) (*page.Connection[T], error) {
	p, err := pageOf(first, after)
	if err != nil {
		return nil, err
	}
	l, err := list(p)
	c := page.Of(l, func(context.Context) (dispatch.Count, error) {
		all, err := list(dispatch.Page{First: countLimit})
		return dispatch.Count{Rows: len(all.Items), Exact: !all.HasNext}, err
	})
	return &c, err
}

// find is the thing with that id, nil when there is none.
func find[T any](things map[string]T, id *string) *T {
	if id == nil {
		return nil
	}
	if thing, ok := things[*id]; ok {
		return &thing
	}
	return nil
}

// among are the things with those ids, in that order, without those that are gone.
func among[T any](things map[string]T, ids []string) []T {
	out := make([]T, 0, len(ids))
	for _, id := range ids {
		if thing, ok := things[id]; ok {
			out = append(out, thing)
		}
	}
	return out
}

// orZero is the value behind a pointer, the zero value for nil.
func orZero[T any](v *T) T {
	if v == nil {
		var zero T
		return zero
	}
	return *v
}
