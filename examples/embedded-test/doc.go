// Package embedded shows a Go test with a real, durable broker inside: no port, no container, no second process. The test
// restarts the broker in the middle, as a deployment would, and finds everything as it was.
//
//	go test -v ./examples/embedded-test
package embedded
