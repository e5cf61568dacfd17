package main

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // the handshake of RFC 6455 is made with it
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
)

// The least of RFC 6455 that a load of many sockets needs, so that the load
// costs less than what it measures: texts of one frame, no extensions.

const handshakeKey = "dGhlIHNhbXBsZSBub25jZQ=="

// acceptKey answers a handshake (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// wire is the client's side of a WebSocket.
type wire struct {
	net.Conn
	in   *bufio.Reader
	text []byte
}

func dialWire(ctx context.Context, addr, path string) (*wire, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n", path, addr, handshakeKey)
	if err != nil {
		return nil, err
	}
	w := &wire{conn, bufio.NewReaderSize(conn, 2048), make([]byte, 0, 512)}
	answer, err := http.ReadResponse(w.in, nil) //nolint:bodyclose // the connection goes on
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("the handshake was answered with %v, %w", answer, err)
	}
	return w, nil
}

// write sends a text of less than 64 KiB, masked with zeros.
func (w *wire) write(text string) error {
	frame := []byte{0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(frame[2:], uint16(len(text))) //nolint:gosec // short texts
	_, err := w.Write(append(frame, text...))
	return err
}

// read reads one frame and gives its payload, which is valid until the next one.
func (w *wire) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(w.in, head[:2]); err != nil {
		return nil, err
	}
	length := int(head[1] & 0x7f)
	if length == 126 {
		if _, err := io.ReadFull(w.in, head[2:4]); err != nil {
			return nil, err
		}
		length = int(binary.BigEndian.Uint16(head[2:]))
	}
	w.text = slices.Grow(w.text[:0], length)[:length]
	_, err := io.ReadFull(w.in, w.text)
	return w.text, err
}

// frameOf is a text as the server's side sends it.
func frameOf(text []byte) []byte {
	if len(text) < 126 {
		return append([]byte{0x81, byte(len(text))}, text...) //nolint:gosec // short texts
	}
	frame := []byte{0x81, 126, 0, 0}
	binary.BigEndian.PutUint16(frame[2:], uint16(len(text))) //nolint:gosec // short texts
	return append(frame, text...)
}
