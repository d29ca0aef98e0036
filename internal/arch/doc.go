// Package arch is the floor plan of the house, kept true by a test.
//
// The plan ([Warren]) names every folder of the module that holds Go, says what kind of room it is, and lists what it may
// import. [Check] reads the source and reports each line that breaks the plan or one of the laws that ARCHITECTURE.md
// states:
//
//	plan     a folder with Go in it is in the plan
//	import   a package imports only what its room may
//	module   a room uses only the third-party modules that it may; what serves tests stays in tests
//	pure     a pure room imports no net, os, sync, context or log, and no source of randomness
//	clock    a pure room asks nobody for the time and waits for nothing
//	chan     a pure room starts no goroutine and touches no channel
//	order    a pure room does not depend on the order of a map
//	init     a library fills no registry: it has no func init
//	global   a library changes no package-level variable and keeps no lock in one
//	exit     a library does not end the process and catches no signal
//	log      a library logs only through the *slog.Logger that it was given, and prints nothing
//	sleep    a test does not sleep, unless time itself is fake (testing/synctest)
//	gofmt    every file is as gofmt would write it
//
// A range over a map in a pure room is accepted when the line, or the line above it, says why the order cannot matter:
//
//	for id := range pending { // order: each is only counted
//
// Check parses the files itself. A test that asked "go list" would be answered by go test from its cache, since the cache
// knows only the files that the test process opens, and would pass while the plan is broken.
package arch
