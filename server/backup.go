package server

import (
	"context"
	"fmt"

	"tocsin/db"
)

// Backup is the command that copies the database, also beside a running server.
type Backup struct {
	Books
	To string `arg:"" help:"File to write; it must not be there yet." type:"path"`
}

// Run makes the copy and tells what else to keep.
func (b *Backup) Run(ctx context.Context, std streams) error {
	if err := b.setDefaults(); err != nil {
		return err
	}
	if err := db.Backup(ctx, b.Database, b.To); err != nil {
		return err
	}
	_, err := fmt.Fprintf(std.out, "%s is a copy of the database.\nThe secrets in it are sealed with %s: keep a copy of that, too, in another place.\n", b.To, b.KeyFile)
	return err
}
