package dispatch

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strings"
)

// with is the configuration after a change.
func (c *Configuration) with(change ConfigurationChange) *Configuration {
	next := &Configuration{
		Version: c.Version + 1, BehaviorModels: maps.Clone(c.BehaviorModels), Actions: maps.Clone(c.Actions),
		APIConfigs: maps.Clone(c.APIConfigs), Lambdas: maps.Clone(c.Lambdas), Actors: maps.Clone(c.Actors), models: maps.Clone(c.models),
	}
	next.put(change.Put)
	for _, id := range change.Remove {
		delete(next.models, fold(next.BehaviorModels[id].Name))
		delete(next.BehaviorModels, id)
		delete(next.Actions, id)
		delete(next.APIConfigs, id)
		delete(next.Lambdas, id)
		delete(next.Actors, id)
	}
	next.index()
	return next
}

// ListBehaviorModels pages through the behavior models by name. Text must begin
// words of name, group or description; groups are any of them.
func (c *Configuration) ListBehaviorModels(p Page, text *string, groups []string) (List[BehaviorModel], error) {
	return listNamed("behaviorModels", c.BehaviorModels, p,
		func(m BehaviorModel) (string, string) { return m.Name, m.ID },
		func(m BehaviorModel) bool {
			return among(groups, value(m.Group)) && found(text, m.Name, m.Group, m.Description)
		})
}

// ListActions pages through the actions by name; model is the name of a
// behavior model that they must apply to.
func (c *Configuration) ListActions(p Page, text *string, enabled *bool, model *string) (List[Action], error) {
	return listNamed("actions", c.Actions, p,
		func(a Action) (string, string) { return a.Name, a.ID },
		func(a Action) bool {
			if model != nil {
				m, ok := c.Model(*model)
				if !ok || !c.Covers(a, m) {
					return false
				}
			}
			return (enabled == nil || *enabled == a.Enabled) && found(text, a.Name, a.Description)
		})
}

// ListAPIConfigs pages through the API configs by name; kinds are any of them.
func (c *Configuration) ListAPIConfigs(p Page, text *string, kinds []string) (List[APIConfig], error) {
	return listNamed("apiConfigs", c.APIConfigs, p,
		func(a APIConfig) (string, string) { return a.Name, a.ID },
		func(a APIConfig) bool { return among(kinds, a.Kind) && found(text, a.Name) })
}

// ListLambdas pages through the lambdas by name.
func (c *Configuration) ListLambdas(p Page, text *string) (List[Lambda], error) {
	return listNamed("lambdas", c.Lambdas, p,
		func(l Lambda) (string, string) { return l.Name, l.ID },
		func(l Lambda) bool { return found(text, l.Name, l.Description) })
}

// ListActors pages through the actors by name; kinds are any of them.
func (c *Configuration) ListActors(p Page, text *string, kinds []string) (List[Actor], error) {
	return listNamed("actors", c.Actors, p,
		func(a Actor) (string, string) { return a.Name, a.ID },
		func(a Actor) bool { return among(kinds, a.Kind) && found(text, a.Name) })
}

// BehaviorGroups are the groups that models and actions name, in order.
func (c *Configuration) BehaviorGroups() []string {
	byFold := map[string]string{}
	for _, m := range c.BehaviorModels {
		if m.Group != nil {
			byFold[fold(*m.Group)] = *m.Group
		}
	}
	for _, a := range c.Actions {
		for _, g := range a.BehaviorGroups {
			if _, ok := byFold[fold(g)]; !ok {
				byFold[fold(g)] = g
			}
		}
	}
	return slices.Sorted(maps.Values(byFold))
}

// ActionsOf are the actions that apply to a model, by name.
func (c *Configuration) ActionsOf(m BehaviorModel) []Action {
	return where(c.ordered, func(a Action) bool { return c.Covers(a, m) })
}

// UsedBy are the actions that deliver through an API config, by name.
func (c *Configuration) UsedBy(apiConfigID string) []Action {
	return where(c.ordered, func(a Action) bool { return slices.Contains(a.APIConfigIDs, apiConfigID) })
}

// Running are the actions that run a lambda, by name.
func (c *Configuration) Running(lambdaID string) []Action {
	return where(c.ordered, func(a Action) bool { return slices.Contains(a.LambdaIDs, lambdaID) })
}

// APIConfigsOf are the API configs that name an actor, or use it as the
// built-in instance of their kind, by name.
func (c *Configuration) APIConfigsOf(actorID string) []APIConfig {
	all := where(slices.Collect(maps.Values(c.APIConfigs)), func(a APIConfig) bool {
		actor, ok := c.ActorOf(a)
		return ok && actor.ID == actorID
	})
	slices.SortFunc(all, func(a, b APIConfig) int { return cmp.Compare(fold(a.Name), fold(b.Name)) })
	return all
}

func where[T any](all []T, keep func(T) bool) []T {
	out := []T{}
	for _, item := range all {
		if keep(item) {
			out = append(out, item)
		}
	}
	return out
}

// found tells whether the words of a query begin words of the texts.
func found(query *string, name string, more ...*string) bool {
	if query == nil {
		return true
	}
	var text strings.Builder
	text.WriteString(name)
	for _, m := range more {
		text.WriteString(" " + value(m))
	}
	return MatchWords(*query, Words(text.String()))
}

// listNamed pages through things in memory, ordered by folded name and id.
func listNamed[T any](list string, all map[string]T, p Page, key func(T) (name, id string), keep func(T) bool) (List[T], error) {
	type entry struct {
		name, id string
		item     T
	}
	var after [2]string
	if p.After != "" {
		keys, err := CursorKeys(list, p.After, 2)
		if err != nil {
			return List[T]{}, err
		}
		after = [2]string(keys)
	}
	entries := make([]entry, 0, len(all))
	for _, item := range all {
		name, id := key(item)
		e := entry{fold(name), id, item}
		if (p.After == "" || cmp.Or(cmp.Compare(e.name, after[0]), cmp.Compare(e.id, after[1])) > 0) && keep(item) {
			entries = append(entries, e)
		}
	}
	sort.Slice(entries, func(i, j int) bool {
		return cmp.Or(cmp.Compare(entries[i].name, entries[j].name), cmp.Compare(entries[i].id, entries[j].id)) < 0
	})
	out := List[T]{Items: []T{}, HasNext: len(entries) > p.First}
	for _, e := range entries[:min(p.First, len(entries))] {
		out.Items = append(out.Items, e.item)
		out.End = Cursor(list, e.name, e.id)
		out.Cursors = append(out.Cursors, out.End)
	}
	return out, nil
}
