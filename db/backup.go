package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Backup writes a copy of the SQLite books at url to a file, as they stand at one
// moment, also while a server writes them: it reads under a snapshot and holds up
// no writer. The copy has its whole content in that one file, is complete when it
// appears under its name (0600), and replaces nothing. Secrets in it stay sealed:
// without the key file it is good for all but them, and no server starts on it.
func Backup(ctx context.Context, url, to string) (err error) {
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return errors.New("back up PostgreSQL with its own means, such as pg_dump")
	}
	path, err := realPath(strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("back up %s: %w; give the database of a server that has run", path, err)
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("back up to %s: it is there already, or cannot be looked at; give a name that is free", to)
	}
	part, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".part-") // 0600
	if err != nil {
		return fmt.Errorf("back up to %s: %w", to, err)
	}
	defer func() { err = errors.Join(err, ignoreGone(os.Remove(part.Name()))) }()
	if err := errors.Join(copyBooks(ctx, path, part.Name()), part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("back up to %s: %w", to, err)
	}
	if err := os.Link(part.Name(), to); err != nil { // unlike a rename it replaces nothing
		return fmt.Errorf("back up to %s: %w", to, err)
	}
	return syncFolder(filepath.Dir(to))
}

func copyBooks(ctx context.Context, from, to string) error {
	db, err := sql.Open("sqlite", dsn(from, "ro", openWait))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := inspect(ctx, from); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return explain(err)
	}
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
