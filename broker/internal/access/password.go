package access

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
)

// An Algorithm is how a password is hashed, named as in RabbitMQ's definitions
// (hashing_algorithm). The zero value means [SHA256].
type Algorithm string

// RabbitMQ's algorithms. [HashPassword] makes SHA256; the others are understood
// in what is brought over, MD5 being what RabbitMQ before 3.6 made.
const (
	SHA256 Algorithm = "rabbit_password_hashing_sha256"
	SHA512 Algorithm = "rabbit_password_hashing_sha512"
	MD5    Algorithm = "rabbit_password_hashing_md5"
)

// saltSize is the number of bytes before the digest:
//
//	base64( salt (4 bytes) | digest( salt | password ) )
const saltSize = 4

// digest returns the digest of data, or nil for an unknown algorithm.
func (a Algorithm) digest(data []byte) []byte {
	switch a {
	case SHA256, "":
		sum := sha256.Sum256(data)
		return sum[:]
	case SHA512:
		sum := sha512.Sum512(data)
		return sum[:]
	case MD5:
		sum := md5.Sum(data)
		return sum[:]
	}
	return nil
}

// HashPassword returns the SHA-256 hash of password with this salt, in
// RabbitMQ's form.
func HashPassword(password []byte, salt [4]byte) string {
	return base64.StdEncoding.EncodeToString(append(salt[:], SHA256.digest(append(salt[:], password...))...))
}

// NewHash returns the SHA-256 hash of password with a random salt.
func NewHash(password []byte) string {
	var salt [saltSize]byte
	rand.Read(salt[:]) // never fails
	return HashPassword(password, salt)
}

// VerifyHash reports whether hash was made from password. The digests are
// compared in constant time. A hash or an algorithm that cannot be read
// matches no password.
func VerifyHash(hash string, algorithm Algorithm, password []byte) bool {
	salt, want, err := parseHash(hash, algorithm)
	if err != nil {
		return false
	}
	got := algorithm.digest(bytes.Join([][]byte{salt, password}, nil))
	return subtle.ConstantTimeCompare(got, want) == 1
}

func parseHash(hash string, algorithm Algorithm) (salt, digest []byte, err error) {
	size := len(algorithm.digest(nil))
	if size == 0 {
		return nil, nil, fmt.Errorf("unknown password hashing algorithm %q", string(algorithm))
	}
	raw, err := base64.StdEncoding.DecodeString(hash)
	if err != nil {
		return nil, nil, fmt.Errorf("the password hash is not base64: %w", err)
	}
	if len(raw) != saltSize+size {
		return nil, nil, fmt.Errorf("the password hash has %d bytes, want %d of salt and %d of digest", len(raw), saltSize, size)
	}
	return raw[:saltSize], raw[saltSize:], nil
}
