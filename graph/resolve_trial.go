package graph

import (
	"context"
	"errors"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/internal/page"
)

func (r queries) Lambda(ctx context.Context, id string, version *int) (*dispatch.Lambda, error) {
	if version == nil {
		cfg, err := r.desk.Configuration(ctx)
		return find(orZero(cfg).Lambdas, &id), err
	}
	l, err := r.desk.LambdaAt(ctx, id, *version)
	if errors.Is(err, dispatch.ErrNotFound) {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return opt(l, err)
}

func (r queries) Lambdas(ctx context.Context, first *int, after, text *string) (*page.LambdaConnection, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return named(first, after, func(p dispatch.Page) (dispatch.List[dispatch.Lambda], error) { return cfg.ListLambdas(p, text) })
}

func (r lambdas) UsedBy(ctx context.Context, l *dispatch.Lambda) ([]dispatch.Action, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return cfg.Running(l.ID), nil
}

func (r actions) Lambdas(ctx context.Context, a *dispatch.Action) ([]dispatch.Lambda, error) {
	cfg, err := r.desk.Configuration(ctx)
	return among(orZero(cfg).Lambdas, a.LambdaIDs), err
}

func (r requests) APIConfig(ctx context.Context, q *dispatch.RenderedRequest) (*dispatch.APIConfig, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).APIConfigs, &q.APIConfigID), err
}

func (m mutations) CreateLambda(ctx context.Context, in dispatch.CreateLambdaInput) (*gen.LambdaPayload, error) {
	return lambdaPayload(m.desk.CreateLambda(ctx, callerOf(ctx), in))
}

func (m mutations) UpdateLambda(ctx context.Context, in gen.UpdateLambdaInput) (*gen.LambdaPayload, error) {
	return lambdaPayload(m.desk.UpdateLambda(ctx, callerOf(ctx), dispatch.UpdateLambdaInput{
		ID: in.ID, ExpectedVersion: in.ExpectedVersion.Value(), Name: maybe(in.Name), Description: maybe(in.Description),
		Source: maybe(in.Source), Config: maybe(in.Config), Tests: maybe(in.Tests), OnError: maybe(in.OnError),
	}))
}

func lambdaPayload(lambda dispatch.Lambda, err error) (*gen.LambdaPayload, error) {
	done, problems, err := changed(lambda, err)
	return opt(gen.LambdaPayload{Lambda: done, UserErrors: problems}, err)
}

func (m mutations) DeleteLambda(ctx context.Context, in dispatch.DeleteInput) (*gen.DeletePayload, error) {
	usedBy, err := m.desk.DeleteLambda(ctx, callerOf(ctx), in)
	return m.deletePayload(ctx, in.ID, usedBy, err)
}

func (m mutations) TestLambda(ctx context.Context, in dispatch.TestLambdaInput) (*gen.TestLambdaPayload, error) {
	tried, problems, err := changed(m.desk.TestLambda(ctx, callerOf(ctx), in))
	out := gen.TestLambdaPayload{UserErrors: problems}
	if tried != nil {
		out.Output, out.Dropped, out.Trace = tried.Output, &tried.Dropped, &tried.Trace
	}
	return opt(out, err)
}

func (m mutations) DryRun(ctx context.Context, in gen.DryRunInput) (*gen.DryRunPayload, error) {
	input := dispatch.DryRunInput{AlertID: in.AlertID.Value(), Alert: in.Alert.Value()}
	if draft := in.Draft.Value(); draft != nil {
		input.Draft = new(drafted(*draft))
	}
	run, err := m.desk.DryRun(ctx, callerOf(ctx), input)
	problems, err := userErrors(err)
	return opt(gen.DryRunPayload{
		Decisions: run.Decisions, WouldOpenTicket: run.WouldOpenTicket, WouldJoinTicket: run.WouldJoinTicket, UserErrors: problems,
	}, err)
}

func drafted(in gen.ActionDraft) dispatch.ActionDraft {
	return dispatch.ActionDraft{UpdateActionInput: dispatch.UpdateActionInput{
		ID: orZero(in.ID.Value()), Name: maybe(in.Name), Enabled: maybe(in.Enabled), BehaviorModelIDs: maybe(in.BehaviorModelIds),
		BehaviorGroups: maybe(in.BehaviorGroups), AllModels: maybe(in.AllModels), Condition: maybe(in.Condition),
		LambdaIDs: maybe(in.LambdaIds), APIConfigIDs: maybe(in.APIConfigIds), TicketPolicy: maybe(in.TicketPolicy),
		Renotify: maybe(in.Renotify), RenotifyAfter: maybe(in.RenotifyAfter),
	}}
}

func (m mutations) PreviewAPIConfig(ctx context.Context, in dispatch.PreviewInput) (*gen.PreviewPayload, error) {
	request, problems, err := changed(m.desk.PreviewAPIConfig(ctx, callerOf(ctx), in))
	return opt(gen.PreviewPayload{Request: request, UserErrors: problems}, err)
}

func (m mutations) BacktestAction(ctx context.Context, in gen.BacktestActionInput) (*gen.BacktestActionPayload, error) {
	b, err := m.desk.BacktestAction(ctx, callerOf(ctx), dispatch.BacktestInput{
		Draft: drafted(orZero(in.Draft)), Since: in.Since, Until: in.Until.Value(), Limit: orZero(in.Limit.Value()), First: orZero(in.First.Value()),
	})
	problems, err := userErrors(err)
	return opt(gen.BacktestActionPayload{
		Considered: b.Considered, Unchanged: b.Unchanged, NewlyFiring: b.NewlyFiring, NoLongerFiring: b.NoLongerFires, Changed: b.Changed,
		UserErrors: problems,
	}, err)
}
