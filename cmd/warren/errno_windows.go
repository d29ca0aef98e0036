package main

import (
	"errors"

	"golang.org/x/sys/windows"
)

// refused reports whether err says that nothing listens where it tried.
func refused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }

// inUse reports whether err says that an address is taken.
func inUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

// notOurs reports whether err says that no interface of this machine has an address.
func notOurs(err error) bool { return errors.Is(err, windows.WSAEADDRNOTAVAIL) }
