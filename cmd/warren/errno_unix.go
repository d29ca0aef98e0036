//go:build !windows

package main

import (
	"errors"
	"syscall"
)

// refused reports whether err says that nothing listens where it tried.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// inUse reports whether err says that an address is taken.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// notOurs reports whether err says that no interface of this machine has an address.
func notOurs(err error) bool { return errors.Is(err, syscall.EADDRNOTAVAIL) }
