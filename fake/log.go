package fake

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Log keeps what a fake received, in order of arrival. The zero Log is ready; it is safe for many goroutines.
type Log[T any] struct {
	mu    sync.Mutex
	items []T
	grown chan struct{}
}

// Add appends an item and wakes everyone who waits.
func (l *Log[T]) Add(item T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, item)
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}

// All returns a copy of everything so far.
func (l *Log[T]) All() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.items)
}

// Wait returns everything so far as soon as that is n items or more. When ctx ends first, the error says how many came.
func (l *Log[T]) Wait(ctx context.Context, n int) ([]T, error) {
	for {
		l.mu.Lock()
		items := slices.Clone(l.items)
		if l.grown == nil {
			l.grown = make(chan struct{})
		}
		grown := l.grown
		l.mu.Unlock()
		if len(items) >= n {
			return items, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return items, fmt.Errorf("wait for %d received, have %d: %w", n, len(items), ctx.Err())
		}
	}
}
