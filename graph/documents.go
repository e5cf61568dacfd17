package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
)

// Bounds of the documents that are remembered as parsed and validated.
const (
	maxDocuments    = 1_000
	maxDocumentSize = 16 << 10
)

// documents remembers documents of usual size; a big one is parsed each time,
// so that nobody fills the memory with them.
type documents struct{ *lru.LRU[*ast.QueryDocument] }

func newDocuments() documents { return documents{lru.New[*ast.QueryDocument](maxDocuments)} }

// Add remembers a document.
func (d documents) Add(ctx context.Context, text string, doc *ast.QueryDocument) {
	if len(text) <= maxDocumentSize {
		d.LRU.Add(ctx, text, doc)
	}
}
