package fsck

import (
	"context"
	"path/filepath"
)

// Check reads every file of a data folder, whole, and says what is not as it was written and what does not agree. It changes nothing. An
// error means that it could not be said: the folder is in use (an [InUseError]), it is none (a [NotAFolderError]), a file is of a younger
// version, or the disk does not give what it has. It blocks until it is done or ctx ends.
func Check(ctx context.Context, dir string, o *Options) (*Report, error) {
	s, done, err := look(ctx, dir, o, true)
	if err != nil {
		return nil, err
	}
	defer done()
	return s.report(), nil
}

// look takes the folder's lock and makes a survey. done closes it and gives the lock back.
func look(ctx context.Context, dir string, o *Options, deep bool) (s *survey, done func(), err error) {
	fs := o.system()
	if _, err := fs.List(dir); err != nil {
		return nil, nil, err
	}
	if held, err := hasStore(o, dir); err != nil || !held {
		return nil, nil, orNotAFolder(err, dir)
	}
	l, err := lock(fs, filepath.Clean(dir))
	if err != nil {
		return nil, nil, err
	}
	s = open(ctx, fs, dir, newMeter(o, 0), deep)
	done = func() {
		s.close()
		_ = l.Close()
	}
	if err := s.run(); err != nil {
		done()
		return nil, nil, err
	}
	return s, done, nil
}

// hasStore says whether there is anything of a store in a folder: in others no lock is to be left.
func hasStore(o *Options, dir string) (bool, error) {
	names, err := o.system().List(dir)
	for _, name := range names {
		switch kindOf(name) {
		case KindForeign, KindLock, KindSpare:
		default:
			return true, err
		}
	}
	return false, err
}

func orNotAFolder(err error, dir string) error {
	if err == nil {
		err = &NotAFolderError{dir}
	}
	return err
}
