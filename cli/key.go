package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// keyWindow is after how many alerts of a stream their counts begin anew, so
// that an endless stream needs no endless memory.
const keyWindow = 1 << 18

// keys makes idempotency keys that come out the same when the same input is
// read again. In a file an alert is known by file, line and content. A stream
// may be cut anywhere, so there it is known by its content and by how many of
// the same content came before.
type keys struct {
	file   string // absolute path; "-" is a stream
	seen   map[[16]byte]int
	alerts int
}

// key is the key of the alert on that line: 40 hexadecimal digits.
func (k *keys) key(line int, text []byte) string {
	place := fmt.Sprintf("%s\x00%d", k.file, line)
	if k.file == "-" {
		place = k.occurrence(text)
	}
	sum := sha256.Sum256(append([]byte(place+"\x00"), text...))
	return hex.EncodeToString(sum[:20])
}

func (k *keys) occurrence(text []byte) string {
	window := k.alerts / keyWindow
	if k.alerts%keyWindow == 0 {
		k.seen = map[[16]byte]int{}
	}
	k.alerts++
	sum := sha256.Sum256(text)
	content := [16]byte(sum[:16])
	k.seen[content]++
	return fmt.Sprintf("-\x00%d\x00%d", window, k.seen[content])
}
