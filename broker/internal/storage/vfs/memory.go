package vfs

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Memory is a file system in memory that knows what of it is durable, so that the power can be cut.
//
// # What is durable
//
//   - What a file holds, and its size, as of its last Sync.
//   - Which names a folder holds, and which file is behind each, as of its last SyncDir. A file that was synced under a name
//     that was not is gone after a crash. POSIX promises no more, though some file systems do more.
//   - Folders, once MkdirAll has returned.
//
// # What a power cut does to the rest
//
// Crash decides, for each of the following on its own, whether it had reached the disk:
//
//   - Each sector, of 512 bytes, of each write since the last Sync. A sector that was written several times holds what it
//     held after the last of its writes that arrived: it is whole, from one moment, never half of one and half of another.
//     If none arrived it holds what it did at the last Sync, or zeros where the file has grown.
//   - Each growth of a file. A file is at least as long as the sectors that arrived, and may have grown without its data: the
//     bytes read as zeros.
//   - Each shrinking of a file (Truncate, or Create of one that exists): if it did not arrive, nothing that happened to the
//     file afterwards did. New bytes lying in old content that was cut off are not modelled.
//   - Each change of a folder's names: if it did not arrive, none that followed in the same folder did. Nothing is
//     ordered between folders, nor between names and contents: a file may have its new name and not its content.
//
// Not modelled: sectors that tear, blocks that hold another file's old bytes, a Sync that says nothing of an error, and
// disks that lie. Flip is for bits that rot.
//
// # Files
//
// A file has at most 16 GiB; parts that were never written take no room. A file that is removed while it is open can be used
// on. Locks hold within one Memory.
//
// Everything may be called from any goroutine.
type Memory struct {
	mu       sync.RWMutex // guards everything below and the files' insides
	folders  map[string]*folder
	inodes   map[int]*inode // by number: those that have a name or a handle, or could have one again after a crash
	lastNode int
	handles  map[*memFile]struct{}
	locks    map[string]struct{}
	capacity int64 // 0: as much as one likes
	used     int64 // bytes of pages
	dead     bool  // the power was cut
	replay   bool  // it repeats a Recording: files without a name are kept, since whether one is open is not known
	record   *Recording
}

// unlimited is how much room there is said to be where no limit was set.
const unlimited = 1 << 40

// folder is which names a folder holds: now, at its last sync, and what was changed in between.
type folder struct {
	names    map[string]*inode
	synced   map[string]*inode
	unsynced []entry
}

// entry is a change of a folder's names.
type entry struct {
	kind Kind // OpCreate and OpLink, OpRemove, OpRename
	name string
	to   string // OpRename
	node *inode // OpCreate, OpLink
}

// apply makes the change to a set of names. It returns the file that lost a name by it, or nil.
func (e entry) apply(names map[string]*inode) (loser *inode) {
	switch e.kind {
	case OpRemove:
		loser = names[e.name]
		delete(names, e.name)
	case OpRename:
		loser = names[e.to]
		names[e.to] = names[e.name]
		delete(names, e.name)
	default:
		names[e.name] = e.node
	}
	return loser
}

// NewMemory returns an empty file system without a limit. It has the folders "." and "/".
func NewMemory() *Memory {
	m := newMemory()
	for _, dir := range []string{".", string(filepath.Separator)} {
		m.folders[dir] = newFolder()
	}
	return m
}

func newMemory() *Memory {
	return &Memory{
		folders: map[string]*folder{}, inodes: map[int]*inode{},
		handles: map[*memFile]struct{}{}, locks: map[string]struct{}{},
	}
}

func newFolder() *folder {
	return &folder{names: map[string]*inode{}, synced: map[string]*inode{}}
}

// SetCapacity gives the disk a size in bytes; 0 is no limit. Files use it in pages of 4 KiB. A write that does not fit is
// done as far as it does and gives ErrNoSpace; names, and overwriting what is there, need no room. What is used already may
// be more.
func (m *Memory) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Used returns how many bytes of the disk are used.
func (m *Memory) Used() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.used
}

// OpenFiles returns the names of the files that are open and of the locks that are held, sorted: at the end of a test there
// should be none.
func (m *Memory) OpenFiles() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	names := slices.Collect(maps.Keys(m.locks))
	for h := range m.handles {
		names = append(names, h.name)
	}
	slices.Sort(names)
	return names
}

// Flip turns over a bit of a file, on the disk and in whatever is yet to get there, as a failing medium does: bit n is bit
// n%8, counted from the lowest, of byte n/8. It is not recorded.
func (m *Memory) Flip(name string, bit int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find("flip", name)
	if err != nil {
		return err
	}
	if bit < 0 || bit/8 >= node.size {
		return pathError("flip", name, io.ErrUnexpectedEOF)
	}
	m.change(node, func() { node.flip(bit) })
	return nil
}

// Create implements FS.
func (m *Memory) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkNew("create", name); err != nil {
		return nil, err
	}
	m.do(step{Op: Op{Kind: OpCreate, Name: name}, node: m.lastNode + 1})
	return m.open("create", name, true)
}

// Open implements FS.
func (m *Memory) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open("open", name, false)
}

// OpenReadWrite implements FS.
func (m *Memory) OpenReadWrite(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open("open", name, true)
}

func (m *Memory) open(op, name string, writable bool) (File, error) {
	node, err := m.find(op, name)
	if err != nil {
		return nil, err
	}
	h := &memFile{m: m, node: node, name: name, writable: writable}
	node.handles++
	m.handles[h] = struct{}{}
	return h, nil
}

// Remove implements FS. It is for files only.
func (m *Memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.find("remove", name); err != nil {
		return err
	}
	m.do(step{Op: Op{Kind: OpRemove, Name: name}})
	return nil
}

// Rename implements FS. It is for files only.
func (m *Memory) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if filepath.Dir(from) != filepath.Dir(to) {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: errFolders}
	}
	node, err := m.find("rename", from)
	if err == nil {
		err = m.checkNew("rename", to)
	}
	if err != nil {
		return err
	}
	if d, target := m.split(to); d.names[target] == node {
		return nil // two names of one file, or the same name: POSIX has it do nothing
	}
	m.do(step{Op: Op{Kind: OpRename, Name: from, Other: to}})
	return nil
}

// Link implements FS.
func (m *Memory) Link(name, other string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find("link", name)
	if err == nil {
		err = m.checkNew("link", other)
	}
	if err != nil {
		return err
	}
	if d, base := m.split(other); d.names[base] != nil {
		return &os.LinkError{Op: "link", Old: name, New: other, Err: fs.ErrExist}
	}
	m.do(step{Op: Op{Kind: OpLink, Name: name, Other: other}, node: node.id})
	return nil
}

// MkdirAll implements FS.
func (m *Memory) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return pathError("mkdir", dir, fs.ErrClosed)
	}
	for _, at := range m.missing(dir) {
		if d, base := m.split(at); d != nil && d.names[base] != nil {
			return pathError("mkdir", at, errNoFolder)
		}
	}
	m.do(step{Op: Op{Kind: OpMkdirAll, Name: dir}})
	return nil
}

// missing returns those of a folder and the ones above it that are not there.
func (m *Memory) missing(dir string) (dirs []string) {
	for at := filepath.Clean(dir); m.folders[at] == nil; at = filepath.Dir(at) {
		dirs = append(dirs, at)
		if filepath.Dir(at) == at {
			break // a volume that nobody used so far
		}
	}
	return dirs
}

// List implements FS.
func (m *Memory) List(dir string) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	d, err := m.folder("list", dir)
	if err != nil {
		return nil, err
	}
	names := slices.AppendSeq(make([]string, 0, len(d.names)), maps.Keys(d.names))
	for at := range m.folders {
		if filepath.Dir(at) == filepath.Clean(dir) && at != filepath.Clean(dir) {
			names = append(names, filepath.Base(at))
		}
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements FS.
func (m *Memory) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.folder("sync", dir); err != nil {
		return err
	}
	m.do(step{Op: Op{Kind: OpSyncDir, Name: dir}})
	return nil
}

// Lock implements FS. The lock is gone after Crash and Clone.
func (m *Memory) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkNew("lock", name); err != nil {
		return nil, err
	}
	key := filepath.Clean(name)
	if _, held := m.locks[key]; held {
		return nil, &LockedError{Name: name, PID: os.Getpid()}
	}
	m.do(step{Op: Op{Kind: OpCreate, Name: name}, node: m.lastNode + 1})
	node, err := m.find("lock", name)
	if err != nil {
		return nil, err
	}
	if pid := pidLine(os.Getpid()); m.room(node, 0, len(pid)) == len(pid) {
		m.do(step{Op: Op{Kind: OpWriteAt, Name: name, Len: len(pid)}, node: node.id, data: pid})
	}
	m.locks[key] = struct{}{}
	return &memLock{m: m, key: key}, nil
}

// Free implements FS.
func (m *Memory) Free(dir string) (uint64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if _, err := m.folder("free", dir); err != nil {
		return 0, err
	}
	return uint64(m.left()), nil
}

func (m *Memory) left() int64 {
	if m.capacity == 0 {
		return max(unlimited-m.used, 0)
	}
	return max(m.capacity-m.used, 0)
}

// room returns how many of n bytes at off of a file there is room for.
func (m *Memory) room(node *inode, off int64, n int) int {
	left := m.left() / pageSize
	end := off + int64(n)
	for i := off / pageSize; i*pageSize < end; i++ {
		if int(i) < len(node.pages) && node.pages[i] != nil {
			continue
		}
		if left == 0 {
			return int(max(i*pageSize-off, 0))
		}
		left--
	}
	return n
}

// split returns a name's folder, nil if there is none, and the name in it.
func (m *Memory) split(name string) (*folder, string) {
	name = filepath.Clean(name)
	return m.folders[filepath.Dir(name)], filepath.Base(name)
}

func (m *Memory) folder(op, dir string) (*folder, error) {
	if m.dead {
		return nil, pathError(op, dir, fs.ErrClosed)
	}
	if d := m.folders[filepath.Clean(dir)]; d != nil {
		return d, nil
	}
	if d, base := m.split(dir); d != nil && d.names[base] != nil {
		return nil, pathError(op, dir, errNoFolder)
	}
	return nil, pathError(op, dir, fs.ErrNotExist)
}

// find returns the file that has a name.
func (m *Memory) find(op, name string) (*inode, error) {
	if err := m.checkNew(op, name); err != nil {
		return nil, err
	}
	d, base := m.split(name)
	if node := d.names[base]; node != nil {
		return node, nil
	}
	return nil, pathError(op, name, fs.ErrNotExist)
}

// checkNew reports why a file could not have a name.
func (m *Memory) checkNew(op, name string) error {
	switch d, _ := m.split(name); {
	case m.dead:
		return pathError(op, name, fs.ErrClosed)
	case m.folders[filepath.Clean(name)] != nil:
		return pathError(op, name, errFolder)
	case d == nil, strings.HasSuffix(name, string(filepath.Separator)):
		return pathError(op, name, fs.ErrNotExist)
	}
	return nil
}

// memLock is a lock that is held.
type memLock struct {
	m      *Memory
	key    string
	closed bool // by m.mu
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.closed || l.m.dead {
		return pathError("unlock", l.key, fs.ErrClosed)
	}
	l.closed = true
	delete(l.m.locks, l.key)
	return nil
}

// memFile is an open file of a Memory.
type memFile struct {
	m        *Memory
	node     *inode
	name     string
	writable bool
	closed   bool // by m.mu
}

func (h *memFile) check(op string) error {
	if h.closed || h.m.dead {
		return pathError(op, h.name, fs.ErrClosed)
	}
	return nil
}

func (h *memFile) checkChange(op string, end int64) error {
	if err := h.check(op); err != nil {
		return err
	}
	if !h.writable {
		return pathError(op, h.name, errReadOnly)
	}
	if end > maxFile {
		return pathError(op, h.name, errTooLarge)
	}
	return nil
}

func (h *memFile) ReadAt(b []byte, off int64) (int, error) {
	h.m.mu.RLock()
	defer h.m.mu.RUnlock()
	if err := h.check("read"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("read", h.name, errNegative)
	}
	n := h.node.read(b, off)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *memFile) WriteAt(b []byte, off int64) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if off < 0 {
		return 0, pathError("write", h.name, errNegative)
	}
	if err := h.checkChange("write", off+int64(len(b))); err != nil {
		return 0, err
	}
	n := h.m.room(h.node, off, len(b))
	if n > 0 {
		h.m.do(step{Op: Op{Kind: OpWriteAt, Name: h.name, Offset: off, Len: n}, node: h.node.id, data: slices.Clone(b[:n])})
	}
	if n < len(b) {
		return n, pathError("write", h.name, ErrNoSpace)
	}
	return n, nil
}

func (h *memFile) Sync() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if err := h.check("sync"); err != nil {
		return err
	}
	h.m.do(step{Op: Op{Kind: OpSync, Name: h.name}, node: h.node.id})
	return nil
}

func (h *memFile) Size() (int64, error) {
	h.m.mu.RLock()
	defer h.m.mu.RUnlock()
	if err := h.check("stat"); err != nil {
		return 0, err
	}
	return h.node.size, nil
}

func (h *memFile) Truncate(size int64) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if size < 0 {
		return pathError("truncate", h.name, errNegative)
	}
	if err := h.checkChange("truncate", size); err != nil {
		return err
	}
	h.m.do(step{Op: Op{Kind: OpTruncate, Name: h.name, Offset: size}, node: h.node.id})
	return nil
}

func (h *memFile) Close() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if err := h.check("close"); err != nil {
		return err
	}
	h.closed = true
	delete(h.m.handles, h)
	h.node.handles--
	h.m.forget(h.node)
	return nil
}
