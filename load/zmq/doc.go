// Package zmq measures ZeroMQ sockets in the way of the programs that come with
// libzmq: local_thr and remote_thr for the throughput from a PUSH to a PULL
// socket, local_lat and remote_lat for the latency between a REQ and a REP
// socket, inproc_thr and inproc_lat for both within a process.
//
// They do the same work, take the same arguments and print the same lines, so
// that either end of a measurement can be libzmq's, and [Main] can stand where
// a script expects one of the programs. Two things are more: latencies are
// also given as percentiles, each on a line of its own behind libzmq's, and all of it
// ends with its context.
//
// The clock of a throughput starts with the first message that arrives, and a
// latency is half of a round trip, both as libzmq has them.
package zmq
