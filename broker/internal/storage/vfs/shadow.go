package vfs

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Shadow returns a file system that shows what fs has and keeps to itself, in memory, whatever is changed: fs is only read.
// So a program that writes can be let look at files that must stay as they are. Nobody else should change those meanwhile.
// Each file that is opened in it takes one that is open in fs. Locks hold within it; Sync and SyncDir do nothing. Two names
// that fs has of one file are two files in it.
func Shadow(fs FS) FS {
	return &shadow{fs: fs, nodes: map[string]*shadowNode{}, dirs: map[string]bool{}, locks: map[string]bool{}}
}

type shadow struct {
	fs FS

	mu    sync.RWMutex           // guards everything below and what is in the nodes
	nodes map[string]*shadowNode // by clean name: those that were looked at; nil when the name is gone
	dirs  map[string]bool        // that were made
	locks map[string]bool
}

const shadowPage = 4 << 10

// shadowNode is a file: what it has in the file system below, and what was written over that.
type shadowNode struct {
	base  string // its name below; empty when it was made here
	below int64  // how much of that is to be seen
	size  int64
	pages map[int64]*[shadowPage]byte // by number: what was written
}

// find returns the file that has a name. mu is held.
func (s *shadow) find(op, name string) (*shadowNode, error) {
	name = filepath.Clean(name)
	node, known := s.nodes[name]
	if known && node == nil {
		return nil, pathError(op, name, fs.ErrNotExist)
	}
	if known {
		return node, nil
	}
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	node = &shadowNode{base: name, below: size, size: size}
	s.nodes[name] = node
	return node, nil
}

// folder says whether there is a folder. mu is held.
func (s *shadow) folder(dir string) error {
	if s.dirs[filepath.Clean(dir)] {
		return nil
	}
	_, err := s.fs.List(dir)
	return err
}

func (s *shadow) Create(name string) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.folder(filepath.Dir(name)); err != nil {
		return nil, err
	}
	node, err := s.find("create", name)
	switch {
	case err == nil:
		node.truncate(0)
	case errors.Is(err, fs.ErrNotExist):
		node = &shadowNode{}
		s.nodes[filepath.Clean(name)] = node
	default:
		return nil, err
	}
	return &shadowFile{s: s, node: node, writable: true}, nil
}

func (s *shadow) Open(name string) (File, error)          { return s.open(name, false) }
func (s *shadow) OpenReadWrite(name string) (File, error) { return s.open(name, true) }

func (s *shadow) open(name string, writable bool) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	node, err := s.find("open", name)
	if err != nil {
		return nil, err
	}
	f := &shadowFile{s: s, node: node, writable: writable}
	if node.base != "" {
		if f.base, err = s.fs.Open(node.base); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (s *shadow) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find("remove", name); err != nil {
		return err
	}
	s.nodes[filepath.Clean(name)] = nil
	return nil
}

func (s *shadow) Rename(from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to = filepath.Clean(from), filepath.Clean(to)
	if filepath.Dir(from) != filepath.Dir(to) {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: errFolders}
	}
	node, err := s.find("rename", from)
	if err != nil || from == to || s.nodes[to] == node {
		return err
	}
	s.nodes[from], s.nodes[to] = nil, node
	return nil
}

func (s *shadow) Link(name, other string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	node, err := s.find("link", name)
	if err != nil {
		return err
	}
	if err := s.folder(filepath.Dir(other)); err != nil {
		return err
	}
	if _, err := s.find("link", other); err == nil {
		return &os.LinkError{Op: "link", Old: name, New: other, Err: fs.ErrExist}
	}
	s.nodes[filepath.Clean(other)] = node
	return nil
}

func (s *shadow) MkdirAll(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for dir = filepath.Clean(dir); s.folder(dir) != nil; dir = filepath.Dir(dir) {
		if _, err := s.find("mkdir", dir); err == nil {
			return pathError("mkdir", dir, errNoFolder)
		}
		s.dirs[dir] = true
	}
	return nil
}

func (s *shadow) List(dir string) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	dir = filepath.Clean(dir)
	names := map[string]bool{}
	below, err := s.fs.List(dir)
	if err != nil && !s.dirs[dir] {
		return nil, err
	}
	for _, name := range below {
		names[name] = true
	}
	for name, node := range s.nodes {
		if filepath.Dir(name) == dir {
			if node == nil {
				delete(names, filepath.Base(name))
			} else {
				names[filepath.Base(name)] = true
			}
		}
	}
	for made := range s.dirs {
		if filepath.Dir(made) == dir && made != dir {
			names[filepath.Base(made)] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

func (s *shadow) SyncDir(dir string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.folder(dir)
}

func (s *shadow) Lock(name string) (io.Closer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = filepath.Clean(name)
	if s.locks[name] {
		return nil, &LockedError{Name: name, PID: os.Getpid()}
	}
	if _, err := s.find("lock", name); errors.Is(err, fs.ErrNotExist) {
		s.nodes[name] = &shadowNode{}
	} else if err != nil {
		return nil, err
	}
	s.locks[name] = true
	return &shadowLock{s: s, name: name}, nil
}

func (s *shadow) Free(dir string) (uint64, error) { return s.fs.Free(dir) }

type shadowLock struct {
	s    *shadow
	name string // empty once it is closed; by s.mu
}

func (l *shadowLock) Close() error {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.name == "" {
		return fs.ErrClosed
	}
	delete(l.s.locks, l.name)
	l.name = ""
	return nil
}

// shadowFile is an open file of a shadow.
type shadowFile struct {
	s        *shadow
	node     *shadowNode
	base     File // nil when the file was made here
	writable bool
	closed   bool // by s.mu
}

// usable says why the file cannot be used. s.mu is held.
func (f *shadowFile) usable(toWrite bool) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case toWrite && !f.writable:
		return errReadOnly
	}
	return nil
}

func (f *shadowFile) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegative
	}
	f.s.mu.RLock()
	defer f.s.mu.RUnlock()
	if err := f.usable(false); err != nil {
		return 0, err
	}
	n := int(min(int64(len(b)), max(f.node.size-off, 0)))
	if err := f.node.read(f.base, b[:n], off); err != nil {
		return 0, err
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// read fills b, which lies within the file.
func (n *shadowNode) read(base File, b []byte, off int64) error {
	visible := int(min(int64(len(b)), max(n.below-off, 0)))
	if base == nil {
		visible = 0
	}
	if visible > 0 {
		if _, err := base.ReadAt(b[:visible], off); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	clear(b[visible:])
	if len(n.pages) == 0 {
		return nil
	}
	for at := off; at < off+int64(len(b)); {
		within := at % shadowPage
		length := min(shadowPage-within, off+int64(len(b))-at)
		if page := n.pages[at/shadowPage]; page != nil {
			copy(b[at-off:][:length], page[within:])
		}
		at += length
	}
	return nil
}

func (f *shadowFile) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegative
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if err := f.usable(true); err != nil {
		return 0, err
	}
	n := f.node
	if n.pages == nil {
		n.pages = map[int64]*[shadowPage]byte{}
	}
	for done := 0; done < len(b); {
		at := off + int64(done)
		page := n.pages[at/shadowPage]
		if page == nil {
			page = new([shadowPage]byte)
			begin := at / shadowPage * shadowPage
			if err := n.read(f.base, page[:min(shadowPage, max(n.size-begin, 0))], begin); err != nil {
				return done, err
			}
			n.pages[at/shadowPage] = page
		}
		done += copy(page[at%shadowPage:], b[done:])
		n.size = max(n.size, off+int64(done))
	}
	return len(b), nil
}

// truncate makes the file as long. mu is held.
func (n *shadowNode) truncate(size int64) {
	n.below = min(n.below, size)
	for i, page := range n.pages {
		if begin := i * shadowPage; begin >= size {
			delete(n.pages, i)
		} else if begin+shadowPage > size {
			clear(page[size-begin:])
		}
	}
	n.size = size
}

func (f *shadowFile) Truncate(size int64) error {
	if size < 0 {
		return errNegative
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if err := f.usable(true); err != nil {
		return err
	}
	f.node.truncate(size)
	return nil
}

func (f *shadowFile) Size() (int64, error) {
	f.s.mu.RLock()
	defer f.s.mu.RUnlock()
	if err := f.usable(false); err != nil {
		return 0, err
	}
	return f.node.size, nil
}

func (f *shadowFile) Sync() error {
	f.s.mu.RLock()
	defer f.s.mu.RUnlock()
	return f.usable(false)
}

func (f *shadowFile) Close() error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if err := f.usable(false); err != nil {
		return err
	}
	f.closed = true
	if f.base != nil {
		return f.base.Close()
	}
	return nil
}
