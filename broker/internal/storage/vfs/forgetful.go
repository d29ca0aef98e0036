package vfs

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Forgetful returns under as a disk without a cache: what was not synced is kept in this process, so that a process that is
// killed loses what a power cut would have taken. With OS() it shows, in a real program under SIGKILL, whether anything is
// promised too early.
//
// What is lost with the process: what was written to files, and their sizes, since their last Sync; which names a folder
// got, changed and lost since its last SyncDir. The process itself sees everything, through any handle. Not lost are folders
// (MkdirAll) and locks. A Sync that the kill interrupts may have done a part of its work. Memory.Crash also has the case
// that a part of what was not synced survives; here only what was synced does.
//
// A file that is new has a name that begins with ".unsynced-" in under until its folder is synced; those that a killed
// process has left behind are removed when their folder is first used. So a folder must not be used by anybody else at the
// same time. Two names of one file, other than by Link through this file system, are taken as two files. Where an open file
// cannot be renamed, as on Windows, it does not work. Names must be spelled alike: absolute and relative ones are different.
//
// What is unsynced takes as much memory as it has pages of 4 KiB, and room on the disk only once it is synced: so it is Sync
// that gives ErrNoSpace.
func Forgetful(under FS) FS {
	return &forgetful{under: under, folders: map[string]*pendingFolder{}}
}

const unsyncedPrefix = ".unsynced-"

type forgetful struct {
	under FS

	mu      sync.Mutex // taken before a file's
	folders map[string]*pendingFolder
	serial  int // of the last new file
}

// pendingFolder is a folder as this process sees it, and what has to be done in under for it to be so there. Its fields are
// guarded by forgetful.mu.
type pendingFolder struct {
	names    map[string]*pendingFile
	unsynced []pendingEntry
}

// pendingEntry is a change of names that is to be made at the next SyncDir: from becomes to, or, where to is empty, goes.
// What to was is gone then.
type pendingEntry struct {
	from, to string // paths in under
	file     *pendingFile
	loser    *pendingFile // had the name to
}

// folder returns a folder, which at its first use is read.
func (f *forgetful) folder(dir string) (*pendingFolder, error) {
	dir = filepath.Clean(dir)
	if d := f.folders[dir]; d != nil {
		return d, nil
	}
	names, err := f.under.List(dir)
	if err != nil {
		return nil, err
	}
	d := &pendingFolder{names: map[string]*pendingFile{}}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if strings.HasPrefix(name, unsyncedPrefix) {
			if err := f.under.Remove(path); err != nil {
				return nil, err
			}
			continue
		}
		d.names[name] = &pendingFile{paths: []string{path}}
	}
	f.folders[dir] = d
	return d, nil
}

// find returns a name's folder, the name in it, and the file, nil if there is none.
func (f *forgetful) find(name string) (*pendingFolder, string, *pendingFile, error) {
	d, err := f.folder(filepath.Dir(name))
	if err != nil {
		return nil, "", nil, err
	}
	base := filepath.Base(name)
	return d, base, d.names[base], nil
}

func (f *forgetful) hidden(name string) string {
	f.serial++
	return filepath.Join(filepath.Dir(name), unsyncedPrefix+strconv.Itoa(f.serial))
}

func (f *forgetful) Create(name string) (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, base, file, err := f.find(name)
	if err != nil {
		return nil, err
	}
	if file != nil {
		h, err := f.open(file, name, true)
		if err != nil {
			return nil, err
		}
		if err := h.Truncate(0); err != nil {
			return nil, err
		}
		return h, nil
	}
	hidden := f.hidden(name)
	made, err := f.under.Create(hidden)
	if err != nil {
		return nil, err
	}
	file = &pendingFile{paths: []string{hidden}, handles: 1, under: made}
	d.names[base] = file
	d.unsynced = append(d.unsynced, pendingEntry{from: hidden, to: filepath.Clean(name), file: file})
	return &forgetfulFile{f: f, file: file, name: name, writable: true}, nil
}

func (f *forgetful) Open(name string) (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.openName(name, false)
}

func (f *forgetful) OpenReadWrite(name string) (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.openName(name, true)
}

func (f *forgetful) openName(name string, writable bool) (File, error) {
	_, _, file, err := f.find(name)
	if err != nil {
		return nil, err
	}
	if file == nil {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	return f.open(file, name, writable)
}

func (f *forgetful) open(file *pendingFile, name string, writable bool) (File, error) {
	if err := file.acquire(f.under); err != nil {
		return nil, err
	}
	return &forgetfulFile{f: f, file: file, name: name, writable: writable}, nil
}

func (f *forgetful) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, base, file, err := f.find(name)
	if err != nil {
		return err
	}
	if file == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	delete(d.names, base)
	d.unsynced = append(d.unsynced, pendingEntry{from: filepath.Clean(name), file: file})
	return nil
}

func (f *forgetful) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, base, file, err := f.find(from)
	if err != nil {
		return err
	}
	other, target, loser, err := f.find(to)
	switch {
	case err != nil:
		return err
	case other != d:
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: errFolders}
	case file == nil:
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrNotExist}
	case file == loser:
		return nil // two names of one file, or the same name: POSIX has it do nothing
	}
	delete(d.names, base)
	d.names[target] = file
	d.unsynced = append(d.unsynced, pendingEntry{from: filepath.Clean(from), to: filepath.Clean(to), file: file, loser: loser})
	return nil
}

func (f *forgetful) Link(name, other string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _, file, err := f.find(name)
	if err != nil {
		return err
	}
	d, base, taken, err := f.find(other)
	switch {
	case err != nil:
		return err
	case file == nil:
		return &os.LinkError{Op: "link", Old: name, New: other, Err: fs.ErrNotExist}
	case taken != nil:
		return &os.LinkError{Op: "link", Old: name, New: other, Err: fs.ErrExist}
	}
	hidden := f.hidden(other)
	if err := f.under.Link(file.paths[0], hidden); err != nil {
		return err
	}
	file.paths = append(file.paths, hidden)
	d.names[base] = file
	d.unsynced = append(d.unsynced, pendingEntry{from: hidden, to: filepath.Clean(other), file: file})
	return nil
}

func (f *forgetful) MkdirAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.under.MkdirAll(dir); err != nil {
		return err
	}
	for at := filepath.Clean(dir); filepath.Dir(at) != at; at = filepath.Dir(at) {
		if d := f.folders[filepath.Dir(at)]; d != nil && d.names[filepath.Base(at)] == nil {
			d.names[filepath.Base(at)] = &pendingFile{paths: []string{at}}
		}
	}
	return nil
}

func (f *forgetful) List(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(dir)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(d.names)), nil
}

func (f *forgetful) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(dir)
	if err != nil {
		return err
	}
	for len(d.unsynced) > 0 {
		if err := d.unsynced[0].apply(f.under); err != nil {
			return err
		}
		d.unsynced = d.unsynced[1:]
	}
	d.unsynced = nil
	return f.under.SyncDir(dir)
}

// apply makes the change in under.
func (e pendingEntry) apply(under FS) error {
	if e.to == "" {
		if err := under.Remove(e.from); err != nil {
			return err
		}
		e.file.lose(e.from)
		return nil
	}
	if err := under.Rename(e.from, e.to); err != nil {
		return err
	}
	e.file.paths[slices.Index(e.file.paths, e.from)] = e.to
	if e.loser != nil {
		e.loser.lose(e.to)
	}
	return nil
}

func (f *forgetful) Lock(name string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, base, file, err := f.find(name)
	if err != nil {
		return nil, err
	}
	l, err := f.under.Lock(name)
	if err == nil && file == nil {
		d.names[base] = &pendingFile{paths: []string{filepath.Clean(name)}}
	}
	return l, err
}

func (f *forgetful) Free(dir string) (uint64, error) { return f.under.Free(dir) }
