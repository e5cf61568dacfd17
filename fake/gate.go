package fake

import "sync"

// Gate is where an answer waits that a script holds back. The zero Gate is ready and shut.
type Gate struct {
	mu      sync.Mutex
	opening chan struct{}
}

// Opening returns a channel that the next Release closes. Take it before telling anyone that you wait, or the
// Release may come in between.
func (g *Gate) Opening() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opening == nil {
		g.opening = make(chan struct{})
	}
	return g.opening
}

// Release lets everyone through who waits now. Those who come later wait again.
func (g *Gate) Release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opening != nil {
		close(g.opening)
		g.opening = nil
	}
}
