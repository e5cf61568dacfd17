package server

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tocsin/dispatch"
)

// observer tells how the server does.
type observer struct {
	registry *prometheus.Registry
	draining atomic.Bool
	desk     *dispatch.Desk
	answers  *prometheus.HistogramVec
}

// readLimit bounds how long a scrape waits for the books.
const readLimit = 5 * time.Second

var (
	promised      = prometheus.NewDesc("tocsin_promised_total", "Deliveries that plans and fallbacks have promised.", nil, nil)
	deliveries    = prometheus.NewDesc("tocsin_deliveries", "Deliveries by status.", []string{"status"}, nil)
	balances      = prometheus.NewDesc("tocsin_accounting_balances", "1 when every promise is in exactly one status.", nil, nil)
	oldestPending = prometheus.NewDesc("tocsin_oldest_pending_seconds", "Age of the oldest delivery that waits; 0 when none does.", nil, nil)
	actorWaiting  = prometheus.NewDesc("tocsin_actor_waiting_deliveries", "Deliveries that wait, by actor.", []string{"actor", "type"}, nil)
	syncChanges   = prometheus.NewDesc("tocsin_sync_changes_total", "Changes that external systems told, by what became of them.", []string{"actor", "type", "verdict"}, nil)
	syncDrift     = prometheus.NewDesc("tocsin_sync_drift_total", "Copies that differed from their ticket without an event that told so.", []string{"actor", "type"}, nil)
	actorHealth   = prometheus.NewDesc("tocsin_actor_health", "1 for the status that an actor has.", []string{"actor", "type", "status"}, nil)
)

func newObserver(desk *dispatch.Desk) *observer {
	o := &observer{
		registry: prometheus.NewRegistry(), desk: desk,
		answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tocsin_http_request_seconds", Help: "Time to answer, by path and status; streams are left out.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
		}, []string{"path", "status"}),
	}
	o.registry.MustRegister(o, o.answers, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return o
}

// Describe names what Collect gives.
func (o *observer) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{promised, deliveries, balances, oldestPending, actorWaiting, actorHealth, syncChanges, syncDrift} {
		out <- d
	}
}

// Collect reads the books.
func (o *observer) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	a, err := o.desk.Accounting(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(promised, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	out <- prometheus.MustNewConstMetric(promised, prometheus.CounterValue, float64(a.Promised))
	for status, n := range map[dispatch.DeliveryStatus]int{
		dispatch.Sent: a.Delivered, dispatch.Pending: a.Pending, dispatch.Uncertain: a.Uncertain,
		dispatch.Failed: a.Failed, dispatch.Canceled: a.Canceled, dispatch.Skipped: a.Skipped,
	} {
		gauge(deliveries, float64(n), string(status))
	}
	gauge(balances, oneIf(a.Balances()))
	age := 0.0
	if a.OldestPendingAt != nil {
		age = time.Since(*a.OldestPendingAt).Seconds()
	}
	gauge(oldestPending, age)
	if err := o.collectActors(ctx, out, gauge); err != nil {
		out <- prometheus.NewInvalidMetric(actorHealth, err)
	}
}

func (o *observer) collectActors(ctx context.Context, out chan<- prometheus.Metric, gauge func(d *prometheus.Desc, v float64, labels ...string)) error {
	cfg, err := o.desk.Configuration(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(cfg.Actors))
	for id := range cfg.Actors {
		ids = append(ids, id)
	}
	healths, err := o.desk.Healths(ctx, ids)
	if err != nil {
		return err
	}
	for id, health := range healths {
		actor := cfg.Actors[id]
		gauge(actorWaiting, float64(health.WaitingDeliveries), actor.Name, actor.Kind)
		gauge(actorHealth, 1, actor.Name, actor.Kind, string(health.Status))
		taken := o.desk.TakenIn(id)
		for verdict, n := range map[string]int{"applied": taken.Applied, "ignored": taken.Ignored, "repeated": taken.Repeated, "unknown": taken.Unknown} {
			out <- prometheus.MustNewConstMetric(syncChanges, prometheus.CounterValue, float64(n), actor.Name, actor.Kind, verdict)
		}
		out <- prometheus.MustNewConstMetric(syncDrift, prometheus.CounterValue, float64(taken.Drifted), actor.Name, actor.Kind)
	}
	return nil
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// requests measures every answer that is not a stream.
func (o *observer) requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &answer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		if !seen.stream {
			path := r.Pattern
			if path == "" {
				path = "other"
			}
			o.answers.WithLabelValues(path, strconv.Itoa(seen.status)).Observe(time.Since(began).Seconds())
		}
	})
}

// answer notes the status; it passes on what streams need.
type answer struct {
	http.ResponseWriter
	status int
	stream bool
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap serves http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Flush marks a stream: nothing else flushes.
func (a *answer) Flush() {
	a.stream = true
	if f, ok := a.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Hijack marks a stream: a WebSocket.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.stream = true
	h, ok := a.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, fmt.Errorf("take over the connection: %w", http.ErrNotSupported)
	}
	return h.Hijack()
}
