package vfs

import "fmt"

// Kind is what an operation does: the name of the method of FS or File.
type Kind uint8

// The kinds of operations.
const (
	OpCreate Kind = iota + 1
	OpOpen
	OpOpenReadWrite
	OpRemove
	OpRename
	OpLink
	OpMkdirAll
	OpList
	OpSyncDir
	OpLock
	OpFree
	OpReadAt
	OpWriteAt
	OpSync
	OpSize
	OpTruncate
	OpClose
)

var kindNames = [...]string{
	OpCreate: "create", OpOpen: "open", OpOpenReadWrite: "open for writing", OpRemove: "remove", OpRename: "rename",
	OpLink: "link", OpMkdirAll: "mkdir", OpList: "list", OpSyncDir: "sync folder", OpLock: "lock", OpFree: "free",
	OpReadAt: "read", OpWriteAt: "write", OpSync: "sync", OpSize: "size", OpTruncate: "truncate", OpClose: "close",
}

// String returns the operation in a word or three.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Op is one operation on a file system or on one of its files.
type Op struct {
	Kind   Kind
	Name   string // the file or folder; of an open file, the name under which it was opened
	Other  string // OpRename, OpLink: the new name
	Offset int64  // OpReadAt, OpWriteAt: where; OpTruncate: the new size
	Len    int    // OpReadAt, OpWriteAt: how many bytes
	Count  int    // which operation it is of those counted together, from 1
}

// String returns the operation as a line for a test's failure.
func (o Op) String() string {
	switch o.Kind {
	case OpRename, OpLink:
		return fmt.Sprintf("#%d %v %s to %s", o.Count, o.Kind, o.Name, o.Other)
	case OpReadAt, OpWriteAt:
		return fmt.Sprintf("#%d %v %s [%d,%d)", o.Count, o.Kind, o.Name, o.Offset, o.Offset+int64(o.Len))
	case OpTruncate:
		return fmt.Sprintf("#%d %v %s to %d", o.Count, o.Kind, o.Name, o.Offset)
	}
	return fmt.Sprintf("#%d %v %s", o.Count, o.Kind, o.Name)
}
