package db

import (
	"context"
	"fmt"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// LambdaAt implements dispatch.ConfigurationStore.
func (b *books) LambdaAt(ctx context.Context, id string, version int) (dispatch.Lambda, error) {
	r, err := b.reads.LambdaVersion(ctx, sqlc.LambdaVersionParams{ID: id, Version: wide(version)})
	if isNone(err) {
		return dispatch.Lambda{}, fmt.Errorf("lambda %s at version %d: %w", id, version, dispatch.ErrNotFound)
	}
	if err != nil {
		return dispatch.Lambda{}, err
	}
	return lambdaOf(sqlc.Lambda{
		ID: r.ID, Name: r.Name, Description: r.Description, Source: r.Source, Config: r.Config, Tests: r.Tests, OnError: r.OnError,
		Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	})
}

// putLambda writes a lambda and keeps the version.
func (t *tx) putLambda(ctx context.Context, l dispatch.Lambda) error {
	row := sqlc.PutLambdaParams{
		ID: l.ID, Name: l.Name, FoldedName: folded(l.Name), Description: l.Description, Source: l.Source, Config: string(l.Config),
		Tests: encode(noNil(l.Tests)), OnError: text(l.OnError), Version: wide(l.Version), CreatedAt: ms(l.CreatedAt), UpdatedAt: ms(l.UpdatedAt),
	}
	if err := t.PutLambda(ctx, row); err != nil {
		return err
	}
	return t.KeepLambdaVersion(ctx, sqlc.KeepLambdaVersionParams{
		ID: row.ID, Version: row.Version, Name: row.Name, Description: row.Description, Source: row.Source, Config: row.Config,
		Tests: row.Tests, OnError: row.OnError, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	})
}

func lambdaOf(r sqlc.Lambda) (dispatch.Lambda, error) {
	tests, err := decode[[]dispatch.LambdaTest]("tests", r.Tests)
	return dispatch.Lambda{
		ID: r.ID, Name: r.Name, Description: r.Description, Source: r.Source, Config: dispatch.JSON(r.Config), Tests: tests,
		OnError: dispatch.LambdaFailurePolicy(r.OnError), Version: narrow(r.Version), CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}, err
}

// noNil is a list that is written as [] when it is empty.
func noNil[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}
