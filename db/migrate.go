package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"tocsin/dispatch/crash"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the schema to what this program knows. Books that a newer
// program has changed are refused.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, folder string, options ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	options = append(options, goose.WithDisableGlobalRegistry(true))
	p, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return err
	}
	current, known, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > known {
		return fmt.Errorf("the schema has version %d, but this program knows only up to %d; run the newer program that changed it, or restore a backup from before", current, known)
	}
	if current == known {
		return nil
	}
	crash.During(crash.Migration, true)
	if _, err := p.Up(ctx); err != nil {
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			return partial.Err
		}
		return err
	}
	return nil
}

// oneAtATime lets one process migrate; the others wait for up to a minute.
func oneAtATime() (goose.ProviderOption, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return nil, err
	}
	return goose.WithSessionLocker(locker), nil
}
