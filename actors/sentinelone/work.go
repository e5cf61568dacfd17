package sentinelone

import (
	"context"
	"fmt"
	"strings"

	"tocsin/dispatch"
)

// work is one delivery: a target, what is to be done with it, and what has been.
type work struct {
	*messenger
	config *ConfigSettings
	parcel dispatch.Parcel
	target string

	threat *threat // nil for a host
	host   *agent  // nil until it is needed
	last   dispatch.Exchange
	done   []string
}

func (w *work) deliver(ctx context.Context) dispatch.Outcome {
	switch w.config.TargetKind {
	case targetThreat:
		return w.onThreat(ctx)
	case targetAlert:
		return w.onAlert(ctx)
	case targetUUID, targetName, targetIP, targetMAC:
		return w.onHost(ctx)
	default:
		return dispatch.Refused(fmt.Errorf("settings.targetKind %q is none; give threat, alert or a kind of host", w.config.TargetKind))
	}
}

func (w *work) onThreat(ctx context.Context) dispatch.Outcome {
	if !idForm.MatchString(w.target) {
		return dispatch.Refused(fmt.Errorf("settings.target gave %q, which is not a threat's id of 18 or 19 digits; check where the alert names it", dispatch.Cut(w.target, 100)))
	}
	t, out := w.messenger.threat(ctx, w.target)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	w.threat, w.last = t, out.Exchange()
	if t == nil {
		return dispatch.Refused(fmt.Errorf("the console shows no threat %s; check the id, and what accounts and sites the token sees", w.target)).Over(w.last)
	}
	if w.parcel.Test {
		return w.preview("threat " + t.ID + " (" + t.facts() + ")")
	}
	if out := w.operate(ctx, w.onThreatDo); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	ref := w.ref(w.threat) // which may have been read again
	ref.Loose = !w.config.Updates
	return dispatch.Delivered(ref).Over(w.last).Noting(w.audit("threat " + t.ID + " (" + w.threat.facts() + ")"))
}

// preview is the outcome of a test message: it says what would be done, and to what.
func (w *work) preview(target string) dispatch.Outcome {
	w.last.Response = "Found exactly one " + target + ". An alert would do " + strings.Join(w.config.operations(), ", ") + ". Nothing was changed."
	return dispatch.Delivered(dispatch.Ref{ID: w.target, Loose: true}).Over(w.last).Noting(w.last.Response)
}

// audit is the line of the ledger: what was asked for, and of what.
func (w *work) audit(target string) string {
	if len(w.done) == 0 {
		return "SentinelOne: nothing was left to do for " + target
	}
	return "SentinelOne: " + strings.Join(w.done, ", ") + " for " + target
}

// operate does the operations in their order and stops at the first that fails.
func (w *work) operate(ctx context.Context, do func(ctx context.Context, op string) dispatch.Outcome) dispatch.Outcome {
	out := dispatch.Delivered(dispatch.Ref{})
	for _, op := range w.config.operations() {
		if out = do(ctx, op); out.Kind() != dispatch.OutcomeDelivered {
			return w.stopped(op, out)
		}
		if out.Exchange().HTTPStatus != 0 {
			w.last = out.Exchange()
		}
	}
	return out
}

// stopped keeps on the ledger what was done before an operation failed.
func (w *work) stopped(op string, out dispatch.Outcome) dispatch.Outcome {
	if len(w.done) == 0 {
		return out
	}
	return out.Noting("SentinelOne: " + strings.Join(w.done, ", ") + " for " + w.target + "; " + op + " failed")
}

// asked keeps what was asked for, for the ledger.
func (w *work) asked(text string) { w.done = append(w.done, text) }

// passed is the outcome of an operation that has nothing to do.
func passed() dispatch.Outcome { return dispatch.Delivered(dispatch.Ref{}) }

func (w *work) onThreatDo(ctx context.Context, op string) dispatch.Outcome {
	switch op {
	case opNote:
		return w.note(ctx)
	case opLink:
		return w.link(ctx)
	case opStatus:
		return w.setStatus(ctx)
	case opVerdict:
		return w.setVerdict(ctx)
	case opMitigate:
		return w.mitigate(ctx)
	case opBlock, opIsolate, opRelease, opScan:
		return w.onItsHost(ctx, op)
	default:
		return unknownOperation(op)
	}
}

func unknownOperation(op string) dispatch.Outcome {
	return dispatch.Refused(fmt.Errorf("settings.operations holds %q, which is none; there are note, link_ticket, set_status, set_verdict, isolate, release, scan, mitigate and block_hash", op))
}
