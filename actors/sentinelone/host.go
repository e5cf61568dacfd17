package sentinelone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/dispatch"
)

// agent is what we read of a host.
type agent struct {
	ID, UUID, ComputerName, OSType, SiteID, NetworkStatus, ScanStatus string
	NetworkInterfaces                                                 []networkInterface
}

type networkInterface struct {
	Inet     []string
	Physical string
}

func (a *agent) named() string { return "host " + a.ComputerName + " (agent " + a.ID + ")" }

// hostFilters are the queries by kind of target. All of them find more than what
// is equal: WS-0142 finds WS-01420, too.
var hostFilters = map[TargetKind]string{
	targetUUID: "uuid__contains", targetName: "computerName__contains",
	targetIP: "networkInterfaceInet__contains", targetMAC: "networkInterfacePhysical__contains",
}

// is tells whether a host goes by exactly that name.
func (a *agent) is(kind TargetKind, target string) bool {
	switch kind {
	case targetUUID:
		return strings.EqualFold(a.UUID, target)
	case targetName:
		return strings.EqualFold(a.ComputerName, target)
	case targetIP:
		return slices.ContainsFunc(a.NetworkInterfaces, func(n networkInterface) bool { return slices.Contains(n.Inet, target) })
	case targetMAC:
		return slices.ContainsFunc(a.NetworkInterfaces, func(n networkInterface) bool { return strings.EqualFold(n.Physical, target) })
	case targetThreat, targetAlert:
	}
	return false
}

func (w *work) onHost(ctx context.Context) dispatch.Outcome {
	if out := w.findHost(ctx); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if w.parcel.Test {
		return w.preview(w.host.named())
	}
	if out := w.operate(ctx, w.onHostDo); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	ref := dispatch.Ref{ID: w.host.ID, Word: w.host.NetworkStatus, Loose: true}
	return dispatch.Delivered(ref).Over(w.last).Noting(w.audit(w.host.named()))
}

// findHost finds the one host that the target names, or says which it could be.
func (w *work) findHost(ctx context.Context) dispatch.Outcome {
	kind := w.config.TargetKind
	if kind == targetMAC {
		w.target = strings.ToLower(strings.ReplaceAll(w.target, "-", ":"))
	}
	if w.target == "" {
		return dispatch.Refused(errors.New("settings.target is empty for this alert, so no host is named; check where the alert names it"))
	}
	var found page[agent]
	query := w.scoped(hostFilters[kind], w.target, "isDecommissioned", "False", "limit", "1000")
	out := w.ask(ctx, "/agents", query, "Endpoints.view", &found)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	w.last = out.Exchange()
	var exact []*agent
	for i := range found.Data {
		if found.Data[i].is(kind, w.target) {
			exact = append(exact, &found.Data[i])
		}
	}
	if len(exact) != 1 || found.Pagination.NextCursor != nil && *found.Pagination.NextCursor != "" {
		return dispatch.Refused(fmt.Errorf("%d hosts are exactly %q, and one is wanted; the console offers %s", len(exact), dispatch.Cut(w.target, 100), candidates(found.Data))).Over(w.last)
	}
	w.host = exact[0]
	return out
}

// candidates are the first hosts of a list.
func candidates(list []agent) string {
	if len(list) == 0 {
		return "none"
	}
	var out []string
	for i := range list[:min(len(list), 10)] {
		out = append(out, list[i].ComputerName+" ("+list[i].ID+")")
	}
	return strings.Join(out, ", ")
}

// onItsHost does an operation on the host of a threat.
func (w *work) onItsHost(ctx context.Context, op string) dispatch.Outcome {
	if out := w.readHost(ctx, w.threat.Agent.AgentID); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	return w.onHostDo(ctx, op)
}

// readHost reads a host by its agent's id.
func (w *work) readHost(ctx context.Context, id string) dispatch.Outcome {
	if !idForm.MatchString(id) {
		return dispatch.Refused(fmt.Errorf("the console does not tell the host of %s", w.target))
	}
	var found page[agent]
	out := w.ask(ctx, "/agents", w.scoped("ids", id), "Endpoints.view", &found)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if len(found.Data) != 1 || found.Data[0].ID != id {
		return dispatch.Refused(fmt.Errorf("the console shows no host with the agent id %s; check what the token sees", id)).Over(out.Exchange())
	}
	w.host = &found.Data[0]
	return out
}

func (w *work) onHostDo(ctx context.Context, op string) dispatch.Outcome {
	switch op {
	case opIsolate:
		return w.network(ctx, "disconnect", "Endpoints.disconnectFromNetwork", "disconnecting", "disconnected")
	case opRelease:
		return w.network(ctx, "connect", "Endpoints.reconnectToNetwork", "connecting", "connected")
	case opScan:
		return w.scan(ctx)
	case opBlock:
		hash := w.config.Hash
		if hash == "" && w.threat != nil {
			hash = w.threat.Info.SHA1
		}
		return w.block(ctx, hash, w.host.SiteID, w.host.OSType)
	case opNote, opLink, opStatus, opVerdict, opMitigate:
		return dispatch.Refused(fmt.Errorf("the operation %s needs a threat or an alert, and settings.targetKind is %s; take it out of settings.operations", op, w.config.TargetKind))
	default:
		return unknownOperation(op)
	}
}

// network cuts the host off or lets it back in. The console only queues it: what
// is said is that it was requested.
func (w *work) network(ctx context.Context, action, right string, states ...string) dispatch.Outcome {
	if slices.Contains(states, w.host.NetworkStatus) {
		return passed()
	}
	id := w.host.ID
	count, out := w.act(ctx, "/agents/actions/"+action, right, id, object{})
	if out.Kind() == dispatch.OutcomeDelivered && count == 0 {
		out = w.readHost(ctx, id)
		if out.Kind() == dispatch.OutcomeDelivered && !slices.Contains(states, w.host.NetworkStatus) {
			return dispatch.Refused(fmt.Errorf("the console did not take the request to %s %s, which is %s; check the permission %s and that the agent is active",
				action, w.host.named(), w.host.NetworkStatus, right)).Over(out.Exchange())
		}
	}
	return w.noted(out, action+" was requested of "+w.host.named())
}

// scan starts a scan of the whole disk, unless one runs.
func (w *work) scan(ctx context.Context) dispatch.Outcome {
	if w.host.ScanStatus == "started" {
		return passed()
	}
	const right = "Endpoints.initiateScan"
	count, out := w.act(ctx, "/agents/actions/initiate-scan", right, w.host.ID, object{})
	if out.Kind() == dispatch.OutcomeDelivered && count == 0 && !isBare(out) {
		return dispatch.Refused(fmt.Errorf("the console did not take the request to scan %s; check the permission %s and that the agent is active", w.host.named(), right)).Over(out.Exchange())
	}
	return w.noted(out, "a scan was requested of "+w.host.named())
}
