package servicenow

import (
	"cmp"

	"tocsin/dispatch"
)

// flow is what the numbers of a table's states stand for, and which of them this
// server sets.
type flow struct {
	shows  map[string]dispatch.TicketStatus
	labels map[string]string
	sets   map[dispatch.TicketStatus]string
	// final are states that only an administrator may leave.
	final map[string]bool
}

const (
	tableIncident = "incident"
	tableSecurity = "sn_si_incident"
	tableTask     = "task" // what the others extend
)

// flows are those of the tables whose states are known. They are what an instance
// has as it is delivered; an instance may have added to them.
var flows = map[string]flow{
	tableIncident: {
		shows: map[string]dispatch.TicketStatus{
			"1": dispatch.TicketOpen, "2": dispatch.TicketAcknowledged, "3": dispatch.TicketAcknowledged,
			"6": dispatch.TicketClosed, "7": dispatch.TicketClosed, "8": dispatch.TicketClosed,
		},
		labels: map[string]string{"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed", "8": "Canceled"},
		sets:   map[dispatch.TicketStatus]string{dispatch.TicketOpen: "1", dispatch.TicketAcknowledged: "2", dispatch.TicketClosed: "6"},
		final:  map[string]bool{"7": true, "8": true},
	},
	tableSecurity: {
		shows: map[string]dispatch.TicketStatus{
			"10": dispatch.TicketOpen, "16": dispatch.TicketAcknowledged, "18": dispatch.TicketAcknowledged, "19": dispatch.TicketAcknowledged,
			"20": dispatch.TicketAcknowledged, "100": dispatch.TicketAcknowledged, "3": dispatch.TicketClosed, "7": dispatch.TicketClosed,
		},
		labels: map[string]string{
			"10": "Draft", "16": "Analysis", "18": "Contain", "19": "Eradicate", "20": "Recover", "100": "Review", "3": "Closed", "7": "Cancelled",
		},
		sets:  map[dispatch.TicketStatus]string{dispatch.TicketOpen: "10", dispatch.TicketAcknowledged: "16", dispatch.TicketClosed: "3"},
		final: map[string]bool{"3": true, "7": true},
	},
}

// taskFlow is that of all other tables: they extend task.
var taskFlow = flow{
	shows: map[string]dispatch.TicketStatus{
		"-5": dispatch.TicketOpen, "1": dispatch.TicketOpen, "2": dispatch.TicketAcknowledged,
		"3": dispatch.TicketClosed, "4": dispatch.TicketClosed, "7": dispatch.TicketClosed,
	},
	labels: map[string]string{
		"-5": "Pending", "1": "Open", "2": "Work in Progress", "3": "Closed Complete", "4": "Closed Incomplete", "7": "Closed Skipped",
	},
	sets:  map[dispatch.TicketStatus]string{dispatch.TicketOpen: "1", dispatch.TicketAcknowledged: "2", dispatch.TicketClosed: "3"},
	final: map[string]bool{"3": true, "4": true, "7": true},
}

func flowOf(table string) flow {
	if f, ok := flows[table]; ok {
		return f
	}
	return taskFlow
}

// word is how a state is called: by the instance, else as it is delivered.
func (f flow) word(state, label string) string {
	if label != "" && label != state {
		return label
	}
	return cmp.Or(f.labels[state], "state "+state)
}
