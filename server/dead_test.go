package server

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// TestDeadSubscribers: a hundred sockets that subscribe and then read nothing make
// no raise wait, take nothing from who does read, and hold no memory that grows
// with what they miss.
func TestDeadSubscribers(t *testing.T) {
	if raced {
		t.Skip("the time is the matter, and the race detector takes most of it")
	}
	const dead, raises = 100, 400
	a := open(t, nil)
	a.made("createAction", "action", map[string]any{
		"name": "All", "allModels": true, "apiConfigIds": []string{a.made("createApiConfig", "apiConfig", map[string]any{"actorType": "notification"})},
	})
	var head struct{ LedgerCursor string }
	a.ask(`{ ledgerCursor }`, nil, &head)
	events, err := a.socket(t.Context(), ticketEvents, map[string]any{"after": head.LedgerCursor})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan int, 1)
	go func() { // ends when the last event is heard, or with the test's context
		n := 0
		for e := range events {
			if e.Kind == "OPENED" {
				n++
			}
			if n == 2*raises {
				break
			}
		}
		heard <- n
	}()
	raise := func(name string) *spans {
		s := &spans{}
		for i := range raises {
			began := time.Now()
			a.raise(map[string]any{"behaviorModel": "Model", "summary": name, "key": fmt.Sprint(name, i)})
			s.add(time.Since(began))
		}
		return s
	}
	without := raise("without")
	for range dead {
		c, _, err := websocket.Dial(t.Context(), a.url+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		var ack struct{ Type string }
		for _, m := range []map[string]any{
			{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + a.token}},
			{"id": "1", "type": "subscribe", "payload": map[string]any{"query": ticketEvents}},
		} {
			if err := wsjson.Write(t.Context(), c, m); err != nil {
				t.Fatal(err)
			}
			if ack.Type == "" && wsjson.Read(t.Context(), c, &ack) != nil {
				t.Fatal("no acknowledgement")
			}
		}
	}
	before := heap()
	with := raise("with")
	if grown := heap() - before; grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if with.at(0.5) > 3*without.at(0.5)+5*time.Millisecond {
		t.Errorf("a raise takes %v beside dead sockets, %v without", with.at(0.5), without.at(0.5))
	}
	select {
	case n := <-heard:
		if n != 2*raises {
			t.Errorf("%d of %d tickets were heard of", n, 2*raises)
		}
	case <-time.After(patience):
		t.Error("who reads did not hear all")
	}
	t.Logf("a raise takes p50 %v, p99 %v beside %d dead sockets; p50 %v, p99 %v without", with.at(0.5), with.at(0.99), dead, without.at(0.5), without.at(0.99))
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
