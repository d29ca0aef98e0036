// Package storetest breaks stores before their users do.
//
// [Model] is a store in memory, simple enough to be right at a glance: the oracle of the tests here, and a stand-in for a
// disk in the tests of other packages. [Run] holds the sentences of the contract, package storage, as tests, for whatever
// implements it. The harnesses drive a [Subject], which is a store that takes its steps only when it is told to, on a file
// system that crashes, fails, fills up and rots, and compare what is left with what was promised. All of each follows from
// one seed:
//
//	Simulation   random operations of several clients, with crashes at any call, also while it recovers
//	Enumeration  the power is cut behind each call of a run, with samples of what was not synced
//	Failing      each call of a run fails once: input/output error, no room, a short write
//	Rot          each bit of the files of a closed store is turned over, each file cut off at each length
//	Crowd        writers and readers at once on a store that runs by itself
//
// After a crash there may be the state after any prefix of the batches that were handed over that is no shorter than what
// was reported durable, and nothing else: [History.Outcomes]. That is most of the invariants at once (nothing that was
// confirmed is lost, nothing that was settled comes back, nothing is invented or there twice, a batch is there whole or not
// at all); what remains are numbers that never come again, counts that are those of a full scan, and the room that files
// take when everything has come to rest.
//
// The harnesses are tested in turn: a store that is right passes, and with each of some faults planted it does not; and a
// journal that says that something is durable before it has synced it (build tag storage_lies) is caught.
package storetest
