package block_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/storage/block"
)

func seal(payload []byte) []byte {
	b, room := block.Reserve(nil, len(payload))
	copy(room, payload)
	block.Seal(b)
	return b
}

func TestAPayloadIsReadBackWhateverStandsAroundIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "before")
		payload := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")
		behind := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "behind")
		dst := append(make([]byte, 0, rapid.IntRange(len(before), 400).Draw(t, "room")), before...)

		b, room := block.Reserve(dst, len(payload))
		if len(room) != len(payload) || len(b) != len(before)+block.Size(len(payload)) {
			t.Fatalf("room for %d in %d bytes", len(room), len(b))
		}
		copy(room, payload)
		block.Seal(b[len(before):])
		b = append(b, behind...)
		if !bytes.Equal(b[:len(before)], before) {
			t.Fatal("what stood before has changed")
		}
		if n := block.Len(b[len(before):]); n != len(payload) {
			t.Fatalf("%d bytes", n)
		}
		got, err := block.Open(b[len(before):])
		if err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("%q, %v", got, err)
		}
		if cap(got) != len(got) {
			t.Fatal("appending to the payload would write over what is behind it")
		}
	})
}

func TestReserveUsesRoomThatIsThere(t *testing.T) {
	dst := make([]byte, 0, 200)
	if n := testing.AllocsPerRun(10, func() { block.Reserve(dst, 100) }); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestEveryBitThatFlipsIsFound(t *testing.T) {
	b := seal([]byte("every bit counts"))
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := block.Open(b); !errors.Is(err, block.ErrDamaged) {
			t.Fatalf("bit %d: %v", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func TestEveryTruncationIsFound(t *testing.T) {
	b := seal([]byte("to the last byte"))
	for n := range len(b) {
		if _, err := block.Open(b[:n:n]); !errors.Is(err, block.ErrDamaged) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

func TestZerosAreABlockOnlyIfTheirChecksumSaysSo(t *testing.T) {
	if _, err := block.Open(make([]byte, 64)); !errors.Is(err, block.ErrDamaged) {
		t.Fatalf("zeros that nobody wrote are a payload: %v", err)
	}
}

func TestTheChecksumIsThatOfItsName(t *testing.T) {
	if got := block.Checksum(0, []byte("123456789")); got != 0xe3069283 {
		t.Fatalf("%#x is not the check value of CRC-32C", got)
	}
	if whole, parts := block.Checksum(0, []byte("123456789")), block.Checksum(block.Checksum(0, []byte("1234")), []byte("56789")); whole != parts {
		t.Fatalf("%#x in one, %#x going on", whole, parts)
	}
}

func FuzzBlock(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add(seal(nil), false)
	f.Add(seal([]byte("payload")), false)
	f.Add(append(seal([]byte("payload")), "behind"...), true)
	f.Add([]byte{0, 0, 0, 0, 255, 255, 255, 255, 1}, false)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		b = bytes.Clone(b)
		fits := len(b) >= block.Header && uint64(binary.LittleEndian.Uint32(b[4:])) <= uint64(len(b)-block.Header)
		if sealed && fits {
			block.Seal(b)
		}
		payload, err := block.Open(b)
		switch {
		case err == nil && !fits:
			t.Fatal("a payload that is not there")
		case err == nil:
			if again := seal(payload); !bytes.Equal(again, b[:len(again)]) {
				t.Fatal("the same payload has another form")
			}
		case !errors.Is(err, block.ErrDamaged):
			t.Fatal(err)
		case sealed && fits:
			t.Fatal("what was sealed is not opened")
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{100, 1024, 64 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			sealed := seal(make([]byte, size))
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := block.Open(sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
