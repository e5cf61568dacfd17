package dispatch

import (
	"fmt"
	"sync"
)

// messengers keeps one messenger for each actor, made once for each version of
// it, so that all who talk to a system share its limits. The zero value is ready.
type messengers struct {
	mu   sync.Mutex
	byID map[string]opened
}

type opened struct {
	messenger Messenger
	version   int
}

// open gives the messenger of a stored actor.
func (m *messengers) open(d *Desk, kind Kind, actor Actor) (Messenger, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found, ok := m.byID[actor.ID]; ok && found.version == actor.Version {
		return found.messenger, nil
	}
	made, err := d.openMessenger(kind, actor)
	if err != nil {
		return nil, err
	}
	if m.byID == nil {
		m.byID = map[string]opened{}
	}
	m.byID[actor.ID] = opened{made, actor.Version}
	return made, nil
}

// openMessenger makes a messenger of an actor, stored or not.
func (d *Desk) openMessenger(kind Kind, actor Actor) (Messenger, error) {
	return d.openIn(d.world, kind, actor)
}

func (d *Desk) openIn(w World, kind Kind, actor Actor) (Messenger, error) {
	if kind.Open == nil {
		return nil, fmt.Errorf("this build has no actor type %q", kind.Name)
	}
	settings, problems := Fill(kind.Settings, actor.Settings, actor.Secrets)
	if err := refused(problems); err != nil {
		return nil, err
	}
	return kind.Open(settings, w)
}
