package email

import (
	"strings"
	"sync"

	"tocsin/dispatch"
)

// memory holds who has a message that not everybody has, so that a retry goes
// only to the others. It ends with the process: the books keep no state of a
// recipient. The zero memory is ready.
type memory struct {
	mu    sync.Mutex
	byID  map[string]map[string]verdict // by letter.key and address in lower case
	order []string                      // ids, oldest first
}

// maxRemembered bounds the deliveries in memory; the oldest is forgotten first.
const maxRemembered = 10_000

// recall fills in the verdicts of those who have it.
func (m *memory) recall(id string, recipients []*recipient) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range recipients {
		if v, ok := m.byID[id][strings.ToLower(r.address)]; ok {
			v.known = true
			r.verdict = v
		}
	}
}

// keep remembers who has it, or forgets the delivery when it is finished.
func (m *memory) keep(id string, recipients []*recipient, finished bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	have := map[string]verdict{}
	for _, r := range recipients {
		if r.verdict.kind == dispatch.OutcomeDelivered {
			have[strings.ToLower(r.address)] = r.verdict
		}
	}
	_, known := m.byID[id]
	switch {
	case finished || len(have) == 0:
		delete(m.byID, id) // its place in the order ages away
		return
	case m.byID == nil:
		m.byID = map[string]map[string]verdict{}
	}
	m.byID[id] = have
	if !known {
		m.order = append(m.order, id)
	}
	for len(m.order) > maxRemembered {
		delete(m.byID, m.order[0])
		m.order = m.order[1:]
	}
}
