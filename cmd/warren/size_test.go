package main

import "testing"

func TestASizeIsReadWithOrWithoutItsUnit(t *testing.T) {
	for text, want := range map[string]size{
		"0": 0, "1000": 1000, "64MiB": 64 << 20, "64 MiB": 64 << 20, "64mib": 64 << 20, "64M": 64 << 20, "1.5GiB": 3 << 29, "2T": 2 << 40, "1K": 1024,
	} {
		var s size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "1XB", "MiB", "NaN", "1e30", "1MM"} {
		if err := new(size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken for a size", text)
		}
	}
}

func TestASizeIsWrittenInTheUnitThatFits(t *testing.T) {
	for s, want := range map[size]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 256 << 20: "256 MiB", 3 << 30: "3 GiB"} {
		if got := s.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(s), got, want)
		}
	}
}
