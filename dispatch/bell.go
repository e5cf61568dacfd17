package dispatch

import "sync"

// Bell wakes whoever listens for a key. It carries no data: the woken read the
// books. Ringing never waits.
type Bell struct {
	mu        sync.Mutex
	listeners map[string]map[chan struct{}]struct{}
}

// NewBell makes a bell that nobody listens to.
func NewBell() *Bell { return &Bell{listeners: map[string]map[chan struct{}]struct{}{}} }

// The keys of the bell: the ledger has grown; there is work for an actor; the
// configuration has changed; an actor's health has changed.
const (
	ringLedger        = "ledger"
	ringConfiguration = "configuration"
	ringHealth        = "health"
)

func ringActor(id string) string { return "actor " + id }

// Listen gives a channel that holds a token after each ring, at most one, and
// a function that ends the listening.
func (b *Bell) Listen(key string) (rings <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners[key] == nil {
		b.listeners[key] = map[chan struct{}]struct{}{}
	}
	b.listeners[key][c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners[key], c)
		if len(b.listeners[key]) == 0 {
			delete(b.listeners, key)
		}
	}
}

// Ring wakes all who listen for the key.
func (b *Bell) Ring(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.listeners[key] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Listeners is how many listen, for a test that nobody is forgotten.
func (b *Bell) Listeners() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, all := range b.listeners {
		n += len(all)
	}
	return n
}
