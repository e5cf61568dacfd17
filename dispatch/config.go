package dispatch

import (
	"slices"
	"sort"
	"strings"
)

// Configuration is all that is configured, at one version. It is read by many
// and changed by nobody: a change makes another one.
type Configuration struct {
	Version        int64
	BehaviorModels map[string]BehaviorModel // by id
	Actions        map[string]Action
	APIConfigs     map[string]APIConfig
	Lambdas        map[string]Lambda
	Actors         map[string]Actor

	models  map[string]string // id by lower-case name
	ordered []Action          // by name
}

// NewConfiguration indexes what the books read.
func NewConfiguration(version int64, n Nouns) *Configuration {
	c := &Configuration{
		Version: version, BehaviorModels: map[string]BehaviorModel{}, Actions: map[string]Action{},
		APIConfigs: map[string]APIConfig{}, Lambdas: map[string]Lambda{}, Actors: map[string]Actor{}, models: map[string]string{},
	}
	c.put(n)
	c.index()
	return c
}

func (c *Configuration) put(n Nouns) {
	for _, m := range n.BehaviorModels {
		if old, ok := c.BehaviorModels[m.ID]; ok {
			delete(c.models, fold(old.Name))
		}
		c.BehaviorModels[m.ID] = m
		c.models[fold(m.Name)] = m.ID
	}
	for _, a := range n.Actions {
		c.Actions[a.ID] = a
	}
	for _, a := range n.APIConfigs {
		c.APIConfigs[a.ID] = a
	}
	for _, l := range n.Lambdas {
		c.Lambdas[l.ID] = l
	}
	for _, a := range n.Actors {
		c.Actors[a.ID] = a
	}
}

func (c *Configuration) index() {
	c.ordered = c.ordered[:0:0]
	for _, a := range c.Actions {
		c.ordered = append(c.ordered, a)
	}
	sort.Slice(c.ordered, func(i, j int) bool { return fold(c.ordered[i].Name) < fold(c.ordered[j].Name) })
}

// fold makes two spellings of one name equal.
func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// Model finds a behavior model by name, whatever the case.
func (c *Configuration) Model(name string) (BehaviorModel, bool) {
	m, ok := c.BehaviorModels[c.models[fold(name)]]
	return m, ok
}

// ActorOf is the actor that an API config talks through: the named one, or the
// built-in instance of its kind.
func (c *Configuration) ActorOf(a APIConfig) (Actor, bool) {
	actor, ok := c.Actors[a.actorID()]
	return actor, ok
}

func (a APIConfig) actorID() string {
	if a.ActorID != nil {
		return *a.ActorID
	}
	return BuiltInActorID(a.Kind)
}

// Covers tells whether an action applies to a model.
func (c *Configuration) Covers(a Action, m BehaviorModel) bool {
	if a.AllModels {
		return true
	}
	if slices.Contains(a.BehaviorModelIDs, m.ID) {
		return true
	}
	if m.Group == nil {
		return false
	}
	for _, group := range a.BehaviorGroups {
		if fold(group) == fold(*m.Group) {
			return true
		}
	}
	return false
}
