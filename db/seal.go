package db

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tocsin/dispatch"
)

// Keyring holds the keys that seal secrets in the books. It comes from a file
// that stays outside the database and its backups.
type Keyring struct {
	path    string
	current string // the id of the key that seals
	ciphers map[string]cipher.AEAD
	marks   map[string][]byte // by the key's id, the key that marks
}

// keyBytes is the length of a key: AES-256.
const keyBytes = 32

// OpenKeyring reads a key file, or makes one with a new key, readable by its
// owner only, when there is none. Each line of it holds an id and a key in
// hexadecimal; the first one seals, all of them unseal, `#` begins a comment.
func OpenKeyring(path string) (*Keyring, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKeyFile(path); err != nil {
			return nil, fmt.Errorf("key file %s: %w", path, err)
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file %s: can be read by others than its owner (mode %#o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return parseKeyring(path, raw)
}

func createKeyFile(path string) error {
	key := make([]byte, keyBytes+4)
	_, _ = rand.Read(key) // never fails, says its documentation
	line := hex.EncodeToString(key[keyBytes:]) + " " + hex.EncodeToString(key[:keyBytes]) + "\n"
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString("# Seals the secrets in Tocsin's database. Keep a copy, apart from the database.\n" + line)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a new file's name as durable as its content.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func parseKeyring(path string, raw []byte) (*Keyring, error) {
	k := &Keyring{path: path, ciphers: map[string]cipher.AEAD{}, marks: map[string][]byte{}}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := k.add(line); err != nil {
			return nil, fmt.Errorf("key file %s, line %d: %w", path, n, err)
		}
	}
	if k.current == "" {
		return nil, fmt.Errorf("key file %s: holds no key; put the right file there, or remove it to have one made for a new database", path)
	}
	return k, nil
}

func (k *Keyring) add(line string) error {
	id, text, _ := strings.Cut(line, " ")
	key, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keyBytes {
		return fmt.Errorf("is not an id and %d bytes in hexadecimal", keyBytes)
	}
	if _, taken := k.ciphers[id]; taken {
		return fmt.Errorf("the id %s is given twice", id)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return err
	}
	k.ciphers[id], k.marks[id] = sealer, marked(key, []byte("marks"))
	if k.current == "" {
		k.current = id
	}
	return nil
}

// place names the column that a sealed text belongs to; it cannot be unsealed
// anywhere else.
type place struct{ table, row, column string }

func (p place) bytes(keyID string) []byte {
	return []byte(strings.Join([]string{keyID, p.table, p.row, p.column}, "\x00"))
}

func marked(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(text) // a hash takes everything
	return h.Sum(nil)
}

// mark is a text's fingerprint that nobody can try guesses on without the key.
func (k *Keyring) mark(text []byte) []byte { return marked(k.marks[k.current], text) }

// isMark tells whether a fingerprint is of the text, by any of the keys.
func (k *Keyring) isMark(mark, text []byte) bool {
	for _, key := range k.marks {
		if hmac.Equal(mark, marked(key, text)) {
			return true
		}
	}
	return false
}

// seal encrypts a text for one place.
func (k *Keyring) seal(p place, plain []byte) string {
	sealed := k.ciphers[k.current].Seal(nil, nil, plain, p.bytes(k.current)) //nolint:gosec // it makes a nonce of its own each time
	return k.current + "." + base64.RawStdEncoding.EncodeToString(sealed)
}

// unseal gives the text back, if it was sealed for that place with a key of ours.
func (k *Keyring) unseal(p place, sealed string) ([]byte, error) {
	id, text, _ := strings.Cut(sealed, ".")
	sealer, ok := k.ciphers[id]
	if !ok {
		return nil, fmt.Errorf("%s of %s is sealed with the key %q, which the key file %s does not hold; add it there", p.column, p.row, id, k.path)
	}
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%s of %s is damaged: %w", p.column, p.row, err)
	}
	plain, err := sealer.Open(nil, nil, raw, p.bytes(id))
	if err != nil {
		return nil, fmt.Errorf("%s of %s is damaged, or was sealed for another row: %w", p.column, p.row, err)
	}
	return plain, nil
}

func secretsOf(actorID string) place { return place{"actors", actorID, "secrets"} }

func (k *Keyring) sealSecrets(a dispatch.Actor) string {
	plain := make(map[string]string, len(a.Secrets))
	for field, secret := range a.Secrets {
		plain[field] = string(secret)
	}
	return k.seal(secretsOf(a.ID), []byte(encode(plain)))
}

func (k *Keyring) unsealSecrets(actorID, sealed string) (map[string]dispatch.Secret, error) {
	raw, err := k.unseal(secretsOf(actorID), sealed)
	if err != nil {
		return nil, err
	}
	plain, err := decode[map[string]string]("secrets", string(raw))
	if err != nil {
		return nil, err
	}
	secrets := make(map[string]dispatch.Secret, len(plain))
	for field, secret := range plain {
		secrets[field] = dispatch.Secret(secret)
	}
	return secrets, nil
}

// canary is sealed when the books are founded, to know their key file again.
var canary = place{"meta", "1", "canary"}

const canaryText = "tocsin"

// checkCanary refuses a key file that other books were founded with.
func (k *Keyring) checkCanary(sealed string) error {
	plain, err := k.unseal(canary, sealed)
	if err == nil && string(plain) == canaryText {
		return nil
	}
	return fmt.Errorf("the key file %s does not belong to this database; give the key file that the database was made with", k.path)
}
