package graph

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
)

// newBubbleStage opens a front door that is reached through pipes in memory, so
// that a bubble of synctest can hold it and its clock.
func newBubbleStage(t *testing.T) *stage {
	t.Helper()
	s := openStage(t)
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	transport := &http.Transport{DialContext: p.dial}
	s.url, s.transport = "http://tocsin.example", transport
	house := &http.Server{Handler: s.server}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = house.Serve(p)
	}()
	t.Cleanup(func() {
		s.drain()
		transport.CloseIdleConnections()
		_ = house.Close()
		<-served
	})
	return s
}

// pipes is a listener whose connections are pipes in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
