package graph

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// frame is what the writer sends: a message, or the end. The head of a message
// belongs to one operation; the data may be shared by many, and nobody changes it.
type frame struct {
	head, data []byte
	code       websocket.StatusCode // of the end; 0 for a message
	reason     string
}

// headOf begins a message of the protocol.
func headOf(id, kind string) []byte {
	head := []byte(`{"type":"` + kind + `"`)
	if id != "" {
		quoted, _ := json.Marshal(id) //nolint:errchkjson // a text always marshals
		head = append(append(head, `,"id":`...), quoted...)
	}
	return head
}

// message is a frame of the protocol; id and payload may be left out.
func message(id, kind string, payload []byte) frame {
	if payload == nil {
		return frame{data: append(headOf(id, kind), '}')}
	}
	return frame{head: append(headOf(id, kind), `,"payload":`...), data: payload}
}

// append adds the message to a buffer, as a text frame of the WebSocket protocol
// that is not masked (RFC 6455, 5.2).
func (f frame) append(to []byte) []byte {
	size := len(f.head) + len(f.data)
	if f.head != nil {
		size++
	}
	const final, text, extended, long = 0x80, 0x1, 126, 127
	switch to = append(to, final|text); {
	case size < extended:
		to = append(to, byte(size))
	case size <= 0xffff:
		to = binary.BigEndian.AppendUint16(append(to, extended), uint16(size))
	default:
		to = binary.BigEndian.AppendUint64(append(to, long), uint64(size))
	}
	return f.text(to)
}

// text adds the message's JSON to a buffer.
func (f frame) text(to []byte) []byte {
	to = append(append(to, f.head...), f.data...)
	if f.head != nil {
		to = append(to, '}')
	}
	return to
}

// maxWrite is how many bytes of waiting messages leave in one write.
const maxWrite = 64 << 10

// write sends what is left for it, in order, until out is closed. After the end
// or a failure it only empties the queue.
func (c *socket) write() {
	over := false
	var waiting []byte
	for f := range c.out {
		if over {
			continue
		}
		waiting, f = c.gather(waiting[:0], f)
		if err := c.put(waiting); err != nil {
			over = true
			c.cancel(err)
		} else if f.code != 0 {
			over = true
			_ = c.ws.Close(f.code, f.reason) // waits for the other side's close, five seconds at most
			c.cancel(nil)
		}
		if cap(waiting) > maxWrite {
			waiting = nil
		}
	}
	_ = c.ws.CloseNow() // does nothing when it is closed
}

// gather adds the messages that wait already, up to the end, which it returns.
func (c *socket) gather(to []byte, f frame) ([]byte, frame) {
	for f.code == 0 {
		to = f.append(to)
		if len(to) >= maxWrite {
			return to, f
		}
		select {
		case next, ok := <-c.out:
			if !ok {
				return to, f
			}
			f = next
		default:
			return to, f
		}
	}
	return to, f
}

// put writes frames in one piece: those that the library writes by itself, of
// control, come between them and never into them.
func (c *socket) put(frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if _, err := c.conn.Write(frames); err != nil {
		return err
	}
	return c.conn.SetWriteDeadline(time.Time{}) // the library has its own
}

// opening lets the library take the connection over, and remembers it.
type opening struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack is for websocket.Accept.
func (o *opening) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(o.ResponseWriter).Hijack()
	o.conn = conn
	return conn, rw, err
}
