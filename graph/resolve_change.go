package graph

import (
	"context"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
)

func (m mutations) CreateBehaviorModel(ctx context.Context, in dispatch.CreateBehaviorModelInput) (*gen.BehaviorModelPayload, error) {
	return modelPayload(m.desk.CreateBehaviorModel(ctx, callerOf(ctx), in))
}

func (m mutations) UpdateBehaviorModel(ctx context.Context, in gen.UpdateBehaviorModelInput) (*gen.BehaviorModelPayload, error) {
	return modelPayload(m.desk.UpdateBehaviorModel(ctx, callerOf(ctx), dispatch.UpdateBehaviorModelInput{
		ID: in.ID, ExpectedVersion: in.ExpectedVersion.Value(), Name: maybe(in.Name), Group: maybe(in.Group),
		Description: maybe(in.Description), Enabled: maybe(in.Enabled), Severity: maybe(in.Severity),
	}))
}

func modelPayload(model dispatch.BehaviorModel, err error) (*gen.BehaviorModelPayload, error) {
	done, problems, err := changed(model, err)
	return opt(gen.BehaviorModelPayload{BehaviorModel: done, UserErrors: problems}, err)
}

func (m mutations) CreateAction(ctx context.Context, in dispatch.CreateActionInput) (*gen.ActionPayload, error) {
	return actionPayload(m.desk.CreateAction(ctx, callerOf(ctx), in))
}

func (m mutations) UpdateAction(ctx context.Context, in gen.UpdateActionInput) (*gen.ActionPayload, error) {
	return actionPayload(m.desk.UpdateAction(ctx, callerOf(ctx), dispatch.UpdateActionInput{
		ID: in.ID, ExpectedVersion: in.ExpectedVersion.Value(), Name: maybe(in.Name), Description: maybe(in.Description),
		Enabled: maybe(in.Enabled), BehaviorModelIDs: maybe(in.BehaviorModelIds), BehaviorGroups: maybe(in.BehaviorGroups),
		AllModels: maybe(in.AllModels), Condition: maybe(in.Condition), LambdaIDs: maybe(in.LambdaIds),
		APIConfigIDs: maybe(in.APIConfigIds), TicketPolicy: maybe(in.TicketPolicy), Renotify: maybe(in.Renotify), RenotifyAfter: maybe(in.RenotifyAfter),
	}))
}

func actionPayload(action dispatch.Action, err error) (*gen.ActionPayload, error) {
	done, problems, err := changed(action, err)
	return opt(gen.ActionPayload{Action: done, UserErrors: problems}, err)
}

func (m mutations) CreateAPIConfig(ctx context.Context, in dispatch.CreateAPIConfigInput) (*gen.APIConfigPayload, error) {
	return apiConfigPayload(m.desk.CreateAPIConfig(ctx, callerOf(ctx), in))
}

func (m mutations) UpdateAPIConfig(ctx context.Context, in gen.UpdateAPIConfigInput) (*gen.APIConfigPayload, error) {
	return apiConfigPayload(m.desk.UpdateAPIConfig(ctx, callerOf(ctx), dispatch.UpdateAPIConfigInput{
		ID: in.ID, ExpectedVersion: in.ExpectedVersion.Value(), Name: maybe(in.Name), ActorID: maybe(in.ActorID),
		Settings: maybe(in.Settings), FallbackID: maybe(in.FallbackID),
	}))
}

func apiConfigPayload(config dispatch.APIConfig, err error) (*gen.APIConfigPayload, error) {
	done, problems, err := changed(config, err)
	return opt(gen.APIConfigPayload{APIConfig: done, UserErrors: problems}, err)
}

func (m mutations) CreateActor(ctx context.Context, in dispatch.CreateActorInput) (*gen.ActorPayload, error) {
	return actorPayload(m.desk.CreateActor(ctx, callerOf(ctx), in))
}

func (m mutations) UpdateActor(ctx context.Context, in gen.UpdateActorInput) (*gen.ActorPayload, error) {
	return actorPayload(m.desk.UpdateActor(ctx, callerOf(ctx), dispatch.UpdateActorInput{
		ID: in.ID, ExpectedVersion: in.ExpectedVersion.Value(), Name: maybe(in.Name), Enabled: maybe(in.Enabled),
		Settings: maybe(in.Settings), Secrets: maybe(in.Secrets), Sync: maybe(in.Sync),
	}))
}

func (m mutations) InstallActorWebhook(ctx context.Context, in dispatch.TestActorInput) (*gen.ActorPayload, error) {
	return actorPayload(m.desk.InstallActorWebhook(ctx, callerOf(ctx), in))
}

func actorPayload(actor dispatch.Actor, err error) (*gen.ActorPayload, error) {
	done, problems, err := changed(actor, err)
	return opt(gen.ActorPayload{Actor: done, UserErrors: problems}, err)
}
