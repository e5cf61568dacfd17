package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// caller is one connection that posts and reads answers. It is the least of
// HTTP/1.1 that this needs, so that the load, which shares the cores, costs
// less than what it measures.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
	head []byte // of each request, up to the length of its body
	out  []byte
	text []byte
	stop func() bool
}

// dial connects to a path; the connection ends with ctx.
func dial(ctx context.Context, addr, path, token string) (*caller, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: ", path, addr, token)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // whoever waits for an answer is told
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), head: []byte(head), stop: stop}, nil
}

func (c *caller) close() {
	c.stop()
	_ = c.conn.Close() // what it answered has been read
}

// post sends a body and wants to see a text in the answer, which is valid until
// the next call.
func (c *caller) post(body []byte, want string) ([]byte, error) {
	c.out = append(c.out[:0], c.head...)
	c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	c.out = append(append(c.out, "\r\n\r\n"...), body...)
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, err
	}
	status, err := c.answer()
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(c.text, []byte(want)) {
		return nil, fmt.Errorf("the answer has no %s: %s %.500s", want, status, c.text)
	}
	return c.text, nil
}

// answer reads one, its body into c.text.
func (c *caller) answer() (status string, err error) {
	h, err := readHead(c.in)
	if err != nil {
		return "", err
	}
	c.text = c.text[:0]
	if !h.chunked {
		return h.first, c.take(h.length)
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return h.first, err
		}
		size, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil {
			return h.first, err
		}
		if err := c.take(int(size)); err != nil {
			return h.first, err
		}
		if _, err := c.in.Discard(2); err != nil || size == 0 {
			return h.first, err
		}
	}
}

func (c *caller) take(n int) error {
	from := len(c.text)
	c.text = append(c.text, make([]byte, n)...)
	_, err := io.ReadFull(c.in, c.text[from:])
	return err
}

// head is what the load must know of the head of a message.
type head struct {
	first   string // the line
	length  int
	chunked bool
	id      string // of a webhook
}

func readHead(in *bufio.Reader) (head, error) {
	var h head
	for n := 0; ; n++ {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if n == 0 {
			h.first = string(line)
			continue
		}
		if len(line) == 0 {
			return h, nil
		}
		if err := h.field(line); err != nil {
			return h, err
		}
	}
}

// field takes the fields that matter; net/http, on the other side, writes them so.
func (h *head) field(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(": "))
	if !ok {
		return errors.New("a line of the head has no colon")
	}
	var err error
	switch string(name) {
	case "Content-Length":
		h.length, err = strconv.Atoi(string(value))
	case "Transfer-Encoding":
		h.chunked = string(value) == "chunked"
	case "Webhook-Id":
		h.id = string(value)
	}
	return err
}

// form is a body that is sent again and again with another number in it.
type form struct{ pieces []string }

// placeNumber stands for the number in what a form is made of.
const placeNumber = 777000777

// formOf makes a form of a body that was made for placeNumber.
func formOf(body []byte) form { return form{strings.Split(string(body), strconv.Itoa(placeNumber))} }

// with is the body for a number.
func (f form) with(n int) []byte {
	var to []byte
	for i, piece := range f.pieces {
		if i > 0 {
			to = strconv.AppendInt(to, int64(n), 10)
		}
		to = append(to, piece...)
	}
	return to
}
