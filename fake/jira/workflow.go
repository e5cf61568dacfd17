package jira

import "slices"

// The categories of statuses, by their keys.
const (
	ToDo       = "new"
	InProgress = "indeterminate"
	Done       = "done"
)

// Project is where issues are made.
type Project struct {
	Key         string
	Types       []string // of issues; default Task and Bug
	Priorities  []string // default Highest to Lowest
	NoPriority  bool     // the field is not on the screen
	Required    []string // further fields that an issue cannot be made without
	Statuses    []Status // the first is that of a new issue
	Transitions []Transition
}

// Status is a state of a workflow.
type Status struct{ ID, Name, Category string }

// Transition is a way from statuses to another.
type Transition struct {
	ID, Name string
	From     []string // names of statuses; none is from all
	To       string
	// Resolution says that its screen asks for a resolution, Needs which further fields it cannot do without.
	Resolution bool
	Needs      []string
}

// Resolutions are those of the site.
var resolutions = []string{"Done", "Won't Do", "Duplicate"}

// Simple is a project whose statuses are To Do, In Progress and Done, each reached from all.
func Simple(key string) Project {
	return Project{
		Key:      key,
		Statuses: []Status{{"10000", "To Do", ToDo}, {"3", "In Progress", InProgress}, {"10001", "Done", Done}},
		Transitions: []Transition{
			{ID: "11", Name: "To Do", To: "To Do"}, {ID: "21", Name: "In Progress", To: "In Progress"}, {ID: "31", Name: "Done", To: "Done"},
		},
	}
}

func (p Project) types() []string {
	if len(p.Types) == 0 {
		return []string{"Task", "Bug"}
	}
	return p.Types
}

func (p Project) priorities() []string {
	if len(p.Priorities) == 0 {
		return []string{"Highest", "High", "Medium", "Low", "Lowest"}
	}
	return p.Priorities
}

func (p Project) status(name string) Status {
	at := slices.IndexFunc(p.Statuses, func(s Status) bool { return s.Name == name })
	if at < 0 {
		return Status{}
	}
	return p.Statuses[at]
}

// ways are the transitions from a status.
func (p Project) ways(from string) []Transition {
	var all []Transition
	for _, t := range p.Transitions {
		if len(t.From) == 0 || slices.Contains(t.From, from) {
			all = append(all, t)
		}
	}
	return all
}

func (s Status) shown() object {
	names := map[string]object{
		ToDo:       {"id": 2, "key": ToDo, "colorName": "blue-gray", "name": "To Do"},
		InProgress: {"id": 4, "key": InProgress, "colorName": "yellow", "name": "In Progress"},
		Done:       {"id": 3, "key": Done, "colorName": "green", "name": "Done"},
	}
	return object{"id": s.ID, "name": s.Name, "description": "", "iconUrl": "https://example.atlassian.net/", "statusCategory": names[s.Category]}
}

func (t Transition) shown(p Project, withFields bool) object {
	out := object{
		"id": t.ID, "name": t.Name, "to": p.status(t.To).shown(), "hasScreen": t.Resolution || len(t.Needs) > 0,
		"isGlobal": len(t.From) == 0, "isInitial": false, "isAvailable": true, "isConditional": false, "isLooped": false,
	}
	if !withFields {
		return out
	}
	fields := object{}
	if t.Resolution {
		var allowed []object
		for _, name := range resolutions {
			allowed = append(allowed, object{"name": name})
		}
		fields["resolution"] = object{"required": true, "name": "Resolution", "key": "resolution", "hasDefaultValue": false, "allowedValues": allowed}
	}
	for _, name := range t.Needs {
		fields[name] = object{"required": true, "name": name, "key": name, "hasDefaultValue": false}
	}
	out["fields"] = fields
	return out
}
