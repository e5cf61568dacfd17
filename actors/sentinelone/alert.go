package sentinelone

import (
	"context"
	"errors"

	"tocsin/dispatch"
)

var errAlerts = errors.New("settings.targetKind alert is not offered yet; give threat")

func (w *work) onAlert(context.Context) dispatch.Outcome     { return dispatch.Refused(errAlerts) }
func (w *work) updateAlert(context.Context) dispatch.Outcome { return dispatch.Refused(errAlerts) }
func (m *messenger) askAlerts(context.Context, []string) ([]dispatch.StatusChange, dispatch.Outcome) {
	return nil, passed()
}
