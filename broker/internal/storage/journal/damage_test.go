package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// twoFiles returns a disk with a complete file and the last one, of a journal that was not closed; where the frames of the
// last begin, and its end. If reused, the last one is full of frames of its earlier life.
func twoFiles(t *testing.T, reused bool) (o *owner, disk *vfs.Memory, frames []int64, end int64) {
	disk = vfs.NewMemory()
	o = newOwner(t, disk, manual(1<<10))
	o.mustOpen(0, 1)
	put := func() {
		frames = append(frames, o.append(120, true).at.Offset-frameHeader-unitHeader)
		o.append(130, true)
		o.commit()
		end = o.all[len(o.all)-1].at.Offset + 130
	}
	for len(o.j.Files()) < 2 {
		put()
	}
	if reused {
		o.j.Seal()
		o.j.Recycle(o.j.Files()[0])
		o.all = suffix(o.all, known{from: o.j.Files()[0]})
		put()
	}
	frames = frames[len(frames)-1:]
	put()
	put()
	if o.j.Stats().Spares != 0 || len(o.j.Files()) != 2 {
		t.Fatalf("%+v", o.j.Stats())
	}
	return o, disk, frames, end
}

func TestAFlippedBitIsRefusedAndNamedBelowWhatWasSyncedAndCutAndToldAtTheTail(t *testing.T) {
	for _, reused := range []bool{false, true} {
		t.Run(fmt.Sprintf("reused=%v", reused), func(t *testing.T) {
			o, disk, frames, end := twoFiles(t, reused)
			files := o.j.Files()
			length := []int64{o.j.SealedFiles()[0].Size, end}
			lastFrame := frames[len(frames)-1]
			for i, number := range files {
				for bit := range length[i] * 8 {
					ill := disk.Clone()
					if err := ill.Flip(filepath.Join(dir, Name(number)), bit); err != nil {
						t.Fatal(err)
					}
					after := newOwner(t, ill, manual(1<<10))
					got, rec, err := after.open(files[0], o.j.Durable()+1)
					off := bit / 8
					if i == 1 && off >= lastFrame {
						if err != nil {
							t.Fatalf("byte %d of %d in the last frame, at %d: %v", off, end, lastFrame, err)
						}
						after.same(got, o.all[:len(o.all)-2])
						if rec.TornFile != number || rec.TornAt != lastFrame || rec.TornBytes < min(off-lastFrame, frameHeader) || rec.TornBytes > 8<<10 {
							t.Fatalf("byte %d of the last frame, at %d: told %+v", off, lastFrame, rec)
						}
						after.j.Close()
						continue
					}
					var damage *storage.DamageError
					var young versionError
					switch {
					case errors.As(err, &young) && off >= 8 && off < 12:
					case !errors.As(err, &damage):
						t.Fatalf("%s byte %d: %v", Name(number), off, err)
					case damage.File != Name(number) || damage.Offset > off:
						t.Fatalf("%s byte %d: it says %v", Name(number), off, damage)
					}
				}
			}
		})
	}
}

func TestZerosBehindTheLastFrameAreNothingThatWasTorn(t *testing.T) {
	o, disk, _, end := twoFiles(t, false)
	f, err := disk.OpenReadWrite(filepath.Join(dir, Name(o.j.Files()[1])))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(end + 3*readAhead); err != nil {
		t.Fatal(err)
	}
	f.Close()
	after := newOwner(t, disk.Clone(), manual(1<<10))
	got, rec := after.mustOpen(o.j.Files()[0], o.j.Durable()+1)
	after.same(got, o.all)
	if rec.TornFile != 0 || rec.TornBytes != 0 {
		t.Errorf("told %+v", rec)
	}
	after.j.Close()
}

func TestAfterCloseOrSealEvenTheLastUnitsDamageIsSeen(t *testing.T) {
	for _, end := range []func(*Journal) error{(*Journal).Close, (*Journal).Seal} {
		disk := vfs.NewMemory()
		o := newOwner(t, disk, manual(0))
		o.mustOpen(0, 1)
		w := o.append(100, true)
		if err := end(o.j); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, Name(w.at.File))
		for off := int64(fileHeader); off < w.at.Offset+100; off++ {
			ill := disk.Clone()
			ill.Flip(name, off*8+off%8)
			var damage *storage.DamageError
			if _, _, err := newOwner(t, ill, manual(0)).open(0, 1); !errors.As(err, &damage) || damage.Offset != fileHeader {
				t.Fatalf("byte %d: %v", off, err)
			}
		}
		// What is left of the frame that says so is torn: nothing is lost with it.
		ill := disk.Clone()
		ill.Flip(name, (w.at.Offset+100+20)*8)
		after := newOwner(t, ill, manual(0))
		got, rec := after.mustOpen(0, 1)
		after.same(got, o.all)
		if rec.TornFile != w.at.File || rec.TornBytes != frameHeader {
			t.Errorf("told %+v", rec)
		}
		after.j.Close()
		o.j.Close()
	}
}

func TestSalvageGivesEveryWholeFrameAndSaysWhatIsLost(t *testing.T) {
	disk := vfs.NewMemory()
	o := newOwner(t, disk, manual(2<<10))
	o.mustOpen(0, 1)
	for range 12 {
		o.append(300, true)
		o.append(100, true)
		o.commit()
	}
	o.j.Close()
	files := o.j.Files()
	salvage := func(fs vfs.FS) (got []written, lost []string) {
		err := Salvage(fs, dir, files, func(file uint64, off int64, unit []byte) error {
			got = append(got, written{unit: bytes.Clone(unit), at: Pos{file, off}})
			return nil
		}, func(what *storage.DamageError, bytes int64) {
			lost = append(lost, fmt.Sprintf("%s %d+%d", what.File, what.Offset, bytes))
		})
		if err != nil {
			t.Fatal(err)
		}
		return got, lost
	}
	got, lost := salvage(disk)
	o.same(got, o.all)
	if len(lost) != 0 {
		t.Errorf("lost: %v", lost)
	}
	const frame = frameHeader + 2*unitHeader + 400
	for i, w := range o.all {
		ill := disk.Clone()
		ill.Flip(filepath.Join(dir, Name(w.at.File)), w.at.Offset*8+5)
		got, lost := salvage(ill)
		o.same(got, slices.Concat(o.all[:i-i%2], o.all[i-i%2+2:]))
		begin := o.all[i-i%2].at.Offset - unitHeader - frameHeader
		if want := fmt.Sprintf("%s %d+%d", Name(w.at.File), begin, frame); !slices.Equal(lost, []string{want}) {
			t.Errorf("unit %d: lost %v, want %s", i, lost, want)
		}
	}
	disk.Flip(filepath.Join(dir, Name(files[1])), 40*8)
	got, lost = salvage(disk)
	o.same(got, slices.DeleteFunc(slices.Clone(o.all), func(w written) bool { return w.at.File == files[1] }))
	if len(lost) != 1 {
		t.Errorf("of a file without a header: lost %v", lost)
	}
}

func TestWhatWasCutStaysCut(t *testing.T) {
	for _, reused := range []bool{false, true} {
		o, disk, frames, _ := twoFiles(t, reused)
		files := o.j.Files()
		durable := o.j.Durable()
		name := filepath.Join(dir, Name(files[1]))
		bit := frames[len(frames)-1]*8 + 200
		disk.Flip(name, bit)
		after := newOwner(t, disk, manual(1<<10))
		got, _ := after.mustOpen(files[0], durable)
		after.all = got
		if w := after.append(50, true); w.ticket != durable {
			t.Fatalf("ticket %d, want that of the frame that was cut, %d", w.ticket, durable)
		}
		after.commit()
		disk.Flip(name, bit) // the frame is whole again
		again := newOwner(t, disk.Clone(), manual(1<<10))
		got, rec := again.mustOpen(files[0], durable)
		again.same(got, after.all)
		if rec.TornFile != 0 {
			t.Errorf("told again: %+v", rec)
		}
	}
}

func TestAFileThatIsMissingOrShorterOrNotItselfIsRefused(t *testing.T) {
	o := newOwner(t, vfs.NewMemory(), manual(1<<10))
	o.mustOpen(0, 1)
	for range 5 {
		o.append(900, true)
		o.commit()
	}
	o.j.Close()
	disk := o.c.FS.(*vfs.Memory)
	name := func(n uint64) string { return filepath.Join(dir, Name(n)) }
	for _, tc := range []struct {
		what string
		do   func(fs *vfs.Memory) error
		says string
	}{
		{"a file in the middle is gone", func(fs *vfs.Memory) error { return fs.Remove(name(3)) }, "000004.journal is damaged at byte 0: its first frame is 4, after frame 2"},
		{"the first file is gone", func(fs *vfs.Memory) error { return fs.Remove(name(1)) }, "000002.journal is damaged at byte 0: its first frame is 2, after frame 0"},
		{"a file is cut", func(fs *vfs.Memory) error { return truncate(fs, name(2), 500) }, "000002.journal is damaged at byte 500"},
		{"a header is cut", func(fs *vfs.Memory) error { return truncate(fs, name(2), 63) }, "000002.journal is damaged at byte 0: the file's header is not whole"},
		{"a file is empty", func(fs *vfs.Memory) error { return truncate(fs, name(5), 0) }, "000005.journal is damaged at byte 0"},
		{"a file has another's name", func(fs *vfs.Memory) error { return fs.Rename(name(4), name(3)) }, "000003.journal is damaged at byte 0: its header is that of 000004.journal"},
	} {
		fs := disk.Clone()
		if err := tc.do(fs); err != nil {
			t.Fatal(err)
		}
		if _, _, err := newOwner(t, fs, manual(1<<10)).open(0, 1); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.what, err)
		}
	}
	never := func(uint64, int64, []byte) error { t.Error("replayed"); return nil }
	if _, err := Scan(disk, dir, []uint64{7}, 1, never); err == nil {
		t.Error("a file that does not exist was read")
	}
	if _, err := Scan(disk, dir, []uint64{2, 1}, 1, never); err == nil {
		t.Error("files were read backwards")
	}
}

func truncate(fs vfs.FS, name string, size int64) error {
	f, err := fs.OpenReadWrite(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

func TestAFileOfAYoungerVersionIsRefusedAndSaysWhichItIs(t *testing.T) {
	o := newOwner(t, vfs.NewMemory(), manual(0))
	o.mustOpen(0, 1)
	w := o.append(10, true)
	o.j.Close()
	f, err := o.c.FS.OpenReadWrite(filepath.Join(dir, Name(w.at.File)))
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt(binary.LittleEndian.AppendUint32(nil, 7), 8)
	f.Close()
	if _, _, err := o.open(0, 1); err == nil || !strings.Contains(err.Error(), "000001.journal: journal: the file has format version 7, this program knows versions up to 1") {
		t.Error(err)
	}
}

// Somebody publishes a message that consists of headers of frames, and hopes for a crash in the middle of it.
func TestAMessageThatLooksLikeFramesIsNotTakenForOne(t *testing.T) {
	disk := vfs.NewMemory()
	o := newOwner(t, disk, Config{})
	o.mustOpen(0, 1)
	o.append(100, true)
	if err := o.j.Sync(); err != nil {
		t.Fatal(err)
	}
	guess := fileHead{number: 1} // but not the salt
	forged := make([]byte, 3*frameHeader)
	for i := range 3 {
		h := frameHead{number: uint64(2 + i), synced: 5000, payloadSum: guess.seed()}
		h.encode(forged[i*frameHeader:], guess.seed())
	}
	at, _ := o.j.Append(forged, true)
	if err := o.j.Sync(); err != nil {
		t.Fatal(err)
	}
	left := disk.Clone()
	o.j.Close()
	f, _ := left.OpenReadWrite(filepath.Join(dir, Name(at.File)))
	f.WriteAt(make([]byte, frameHeader+unitHeader), at.Offset-frameHeader-unitHeader) // its own header did not arrive
	f.Close()
	after := newOwner(t, left, manual(0))
	got, rec := after.mustOpen(0, 1)
	after.same(got, o.all)
	if rec.TornFile != at.File {
		t.Errorf("told %+v", rec)
	}
	after.j.Close()
}

func TestAnErrorOfReplayEndsOpenWithIt(t *testing.T) {
	o := newOwner(t, vfs.NewMemory(), manual(0))
	o.mustOpen(0, 1)
	o.append(1, true)
	o.append(2, true)
	o.j.Close()
	wrong := errors.New("wrong")
	calls := 0
	_, _, err := Open(o.c, []uint64{1}, 1, func(uint64, int64, []byte) error { calls++; return wrong })
	if !errors.Is(err, wrong) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
	if open := o.c.FS.(*vfs.Memory).OpenFiles(); len(open) != 0 {
		t.Errorf("left open: %v", open)
	}
}
