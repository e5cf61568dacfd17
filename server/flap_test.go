package server

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestThousandDisconnects: forty subscribers under load lose their connections at
// random, a thousand in all, now of WebSockets, now of server-sent events. Each
// hears what one hears who was never cut, once.
func TestThousandDisconnects(t *testing.T) {
	notRaced(t)
	const subscribers, cuts, perSecond = 40, 25, 300
	a := open(t, nil)
	a.made("createAction", "action", map[string]any{
		"name": "All", "allModels": true,
		"apiConfigIds": []string{a.made("createApiConfig", "apiConfig", map[string]any{"actorType": "notification"})},
	})
	begin := newListener(a)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	published := make(chan struct{})
	go func() {
		defer close(published)
		a.publish(ctx, perSecond)
	}()
	var all sync.WaitGroup
	listeners := make([]*listener, subscribers)
	for i := range listeners {
		l := &listener{api: a, cursor: begin.cursor, connections: i} // begins with either transport
		listeners[i] = l
		random := rand.New(rand.NewPCG(10, uint64(i)))
		all.Go(func() {
			for range cuts {
				short, leave := context.WithTimeout(t.Context(), time.Duration(random.Int64N(int64(250*time.Millisecond))))
				l.listen(short, "")
				leave()
			}
		})
	}
	all.Wait()
	stop()
	<-published
	last := a.raise(map[string]any{"behaviorModel": "Model", "summary": "the last", "key": "the last"}).TicketID
	patient, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	fresh := &listener{api: a, cursor: begin.cursor}
	if !fresh.hear(patient, last) {
		t.Fatal("a fresh subscriber did not hear of the last ticket")
	}
	var sum tally
	before := 0
	for i, l := range listeners {
		before += len(l.heard)
		if !l.hear(patient, last) {
			t.Errorf("subscriber %d did not hear of the last ticket", i)
		}
		missing, repeated, invented := gaps(l.heard, fresh.heard)
		if missing+repeated+invented > 0 {
			t.Errorf("subscriber %d: %d events missing, %d repeated, %d that the books do not tell", i, missing, repeated, invented)
		}
		sum = sum.plus(tally{events: len(l.heard), missing: missing, repeated: repeated})
	}
	t.Logf("%d disconnects of %d subscribers over %d events; heard %d, %d of them on connections that were cut, missing %d, repeated %d",
		subscribers*cuts, subscribers, len(fresh.heard), sum.events, before, sum.missing, sum.repeated)
	if before < sum.events/2 {
		t.Errorf("only %d of %d events came on connections that were cut", before, sum.events)
	}
}

// publish opens tickets and moves them, that many times a second, until ctx ends.
func (a api) publish(ctx context.Context, perSecond int) {
	random := rand.New(rand.NewPCG(11, 12))
	var ids []string
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if id := a.changeSomething(random, ids); id != "" {
			ids = append(ids, id)
		}
	}
}
