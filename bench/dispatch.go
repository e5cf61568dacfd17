package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// dispatchBench carries a heap of deliveries.
type dispatchBench struct {
	rounds
	Deliveries int `help:"Deliveries of a turn." default:"20000"`
}

// Run compares with a plain client that posts to the same receiver.
func (b *dispatchBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *dispatchBench) measure(ctx context.Context, t *table) error {
	return inFolder(func(dir string) error {
		sink, err := newReceiver(ctx)
		if err != nil {
			return err
		}
		defer sink.close()
		h, err := open(ctx, dir)
		if err != nil {
			return err
		}
		actor, err := h.configure(ctx, sink.url, 1)
		if err != nil {
			return err
		}
		limit, err := start(ctx, "/healthz", func(addr string) []string { return []string{"limit-dispatch", "--listen", addr, "--url", sink.url} })
		if err != nil {
			return err
		}
		// One first, so that the plain client knows how large a message is.
		if _, err := b.carry(ctx, h, sink, actor, "size", 1); err != nil {
			return err
		}
		size := sink.size.Load()
		turn := 0
		r, err := b.compare("deliveries, settled", func() (figures, error) {
			turn++
			return b.carry(ctx, h, sink, actor, fmt.Sprint("turn", turn), b.Deliveries)
		}, func() (figures, error) { return b.plain(ctx, limit, sink, size) })
		if err != nil {
			return err
		}
		t.add(r.judge(perSecond(8000)))
		if err := limit.stop(); err != nil {
			return err
		}
		return h.stop()
	})
}

// carry heaps up deliveries while the actor is disabled, and measures from its
// enabling until all are settled. Each must have been at the receiver.
func (b *dispatchBench) carry(ctx context.Context, h *house, sink *receiver, actor, series string, deliveries int) (figures, error) {
	if err := h.enable(ctx, actor, false); err != nil {
		return figures{}, err
	}
	if err := h.fill(ctx, series, deliveries); err != nil {
		return figures{}, err
	}
	sink.keepMoments()
	began, before := time.Now(), h.cpu()
	if err := h.enable(ctx, actor, true); err != nil {
		return figures{}, err
	}
	if err := h.delivered(ctx); err != nil {
		return figures{}, err
	}
	f := figures{done: deliveries, took: time.Since(began), cpu: h.cpu() - before}
	if came := len(sink.moments()); came != deliveries {
		return f, fmt.Errorf("%d deliveries are settled, and %d came to the receiver", deliveries, came)
	}
	return f, nil
}

// plain has the limit post as many messages.
func (b *dispatchBench) plain(ctx context.Context, limit *process, sink *receiver, size int64) (figures, error) {
	taken, began, before := sink.taken.Load(), time.Now(), limit.cpu()
	_, err := post(ctx, fmt.Sprintf("http://%s/run?messages=%d&size=%d", limit.addr, b.Deliveries, size), "", nil, "done")
	f := figures{done: b.Deliveries, took: time.Since(began), cpu: limit.cpu() - before}
	if came := sink.taken.Load() - taken; err == nil && came != int64(b.Deliveries) {
		err = fmt.Errorf("%d messages were posted, and %d came to the receiver", b.Deliveries, came)
	}
	return f, err
}

// limitDispatch is a plain client that posts when it is told to, and keeps no record.
type limitDispatch struct {
	Listen string
	URL    string `name:"url"`
}

// plainHands are the connections of the plain client.
const plainHands = 32

// Run serves until the process is ended.
func (l *limitDispatch) Run() error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /run", func(w http.ResponseWriter, r *http.Request) {
		messages, _ := strconv.Atoi(r.FormValue("messages")) // ours
		size, _ := strconv.Atoi(r.FormValue("size"))
		if err := l.post(r.Context(), int64(messages), bytes.Repeat([]byte("x"), size)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "done")
	})
	return (&http.Server{Addr: l.Listen, Handler: mux, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}

func (l *limitDispatch) post(ctx context.Context, messages int64, message []byte) error {
	plain := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: plainHands, DisableCompression: true}}
	defer plain.CloseIdleConnections()
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range plainHands {
		all.Go(func() {
			for next.Add(1) <= messages && failed.Load() == nil {
				if err := send(ctx, plain, l.URL, message); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func send(ctx context.Context, plain *http.Client, url string, message []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(message))
	if err != nil {
		return err
	}
	answer, err := plain.Do(r) //nolint:gosec // a receiver of ours
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
