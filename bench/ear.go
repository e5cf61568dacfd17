package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
)

// ear is one subscriber's connection. next gives the bytes of the next answer,
// valid until it is called again.
type ear interface {
	next() ([]byte, error)
	Close() error
}

// transport is a way to subscribe.
type transport struct {
	name string
	path string // at the limit
	hear func(ctx context.Context, addr, path, token, query string) (ear, error)
}

var (
	overSocket = transport{"WebSocket", "/socket", hearSocket}
	overEvents = transport{"SSE", "/events", hearEvents}
)

// socketEar hears over a WebSocket.
type socketEar struct{ *wire }

// hearSocket subscribes with graphql-transport-ws.
func hearSocket(ctx context.Context, addr, path, token, query string) (ear, error) {
	w, err := dialWire(ctx, addr, path)
	if err != nil {
		return nil, err
	}
	if err := w.write(`{"type":"connection_init","payload":{"authorization":"Bearer ` + token + `"}}`); err != nil {
		return nil, err
	}
	if ack, err := w.read(); err != nil || !bytes.Contains(ack, []byte("connection_ack")) {
		return nil, fmt.Errorf("the init was answered with %s, %w", ack, err)
	}
	return socketEar{w}, w.write(`{"id":"1","type":"subscribe","payload":{"query":` + strconv.Quote(query) + `}}`)
}

func (e socketEar) next() ([]byte, error) {
	for {
		text, err := e.read()
		if err != nil {
			return nil, err
		}
		switch {
		case bytes.HasPrefix(text, []byte(`{"id":"1","type":"next"`)):
			return text, nil
		case bytes.Contains(text, []byte(`"type":"ping"`)): // an unanswered one ends the connection
			if err := e.write(`{"type":"pong"}`); err != nil {
				return nil, err
			}
		case bytes.Contains(text, []byte(`"type":"next"`)):
			return text, nil
		default:
			return nil, fmt.Errorf("the subscription was answered with %.300s", text)
		}
	}
}

// eventsEar hears server-sent events.
type eventsEar struct {
	net.Conn
	in *bufio.Reader
}

func hearEvents(ctx context.Context, addr, path, token, query string) (ear, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	text := body(query, nil)
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		path, addr, token, len(text), text)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(conn, 2048)
	h, err := readHead(in)
	if err != nil || h.first != "HTTP/1.1 200 OK" || !h.chunked {
		return nil, fmt.Errorf("the stream was answered with %s, %w", h.first, err)
	}
	return &eventsEar{conn, bufio.NewReaderSize(httputil.NewChunkedReader(in), 2048)}, nil
}

var dataField = []byte("data: {")

func (e *eventsEar) next() ([]byte, error) {
	for {
		line, err := e.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(line, dataField) {
			return line, nil
		}
		if bytes.HasPrefix(line, []byte("event: complete")) {
			return nil, io.EOF
		}
	}
}

// cursorField precedes the cursor in an answer; all cursors of the ledger begin alike.
var cursorField = []byte(`"cursor":"`)

// ledgerName is how the text of a cursor begins, and numberAt where its number does.
const ledgerName = "ledger\x00"

// placeOf is the number in an answer's cursor. It grows from event to event, so
// that what is heard twice or in another order is seen.
func placeOf(answer []byte) (int64, error) {
	_, rest, _ := bytes.Cut(answer, cursorField)
	text, _, ok := bytes.Cut(rest, []byte{'"'})
	var raw [64]byte
	if ok && len(text) < len(raw) {
		n, err := base64.RawURLEncoding.Decode(raw[:], text)
		if err == nil && bytes.HasPrefix(raw[:n], []byte(ledgerName)) {
			return strconv.ParseInt(string(raw[len(ledgerName):n]), 10, 64)
		}
	}
	return 0, fmt.Errorf("an answer has no cursor of the ledger: %.300s", answer)
}

// cursorAt is a cursor of the ledger.
func cursorAt(place int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(ledgerName + strconv.FormatInt(place, 10)))
}

// openSocket answers a handshake; the connection is the caller's then.
func openSocket(rw http.ResponseWriter, r *http.Request) (net.Conn, error) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n",
		acceptKey(r.Header.Get("Sec-WebSocket-Key")))
	return conn, err
}
