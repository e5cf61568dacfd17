package slack

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// people are the names of those who clicked, as Slack told them. The zero people
// are ready.
type people struct {
	mu   sync.Mutex
	byID map[string]person
}

type person struct {
	name  string // "" when Slack does not tell
	until time.Time
}

// A name is kept for an hour; that it is not told, for five minutes.
const (
	nameKept   = time.Hour
	silentKept = 5 * time.Minute
	mostPeople = 10_000
)

// name is who did it: the full name, else what the payload calls the person. It
// is never empty.
func (m *messenger) name(ctx context.Context, i interaction) string {
	known, ok := m.people.known(i.User.ID)
	if !ok && i.User.ID != "" {
		known = m.profile(ctx, i.User.ID)
		m.people.keep(i.User.ID, known)
	}
	return oneLine(cmp.Or(known, i.User.Name, i.User.Username, i.User.ID, "somebody in Slack"))
}

// profile is the full name of a person; "" when Slack does not tell.
func (m *messenger) profile(ctx context.Context, id string) string {
	c := m.call()
	user, err := m.client(c).GetUserInfoContext(ctx, id)
	if err != nil {
		m.world.Log.DebugContext(ctx, "slack does not tell the name of a person", "user", id, "error", c.Masked(err.Error()))
		return ""
	}
	return cmp.Or(user.RealName, user.Profile.RealName)
}

func (p *people) known(id string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.byID[id]
	return found.name, ok && time.Now().Before(found.until)
}

func (p *people) keep(id, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID == nil || len(p.byID) >= mostPeople {
		p.byID = map[string]person{}
	}
	kept := nameKept
	if name == "" {
		kept = silentKept
	}
	p.byID[id] = person{name, time.Now().Add(kept)}
}
