// Package storetest breaks stores before their users do.
//
// [Model] is a store in memory, simple enough to be right at a glance: the oracle of the tests here, and a stand-in for a
// disk in the tests of other packages. [Run] holds the sentences of the contract, package storage, as tests, for whatever
// implements it. The harnesses drive a [Subject], which is a store that takes its steps only when it is told to, on a file
// system that crashes, fails, fills up and lies, and compare what is left with what was promised:
//
//	Simulate     random operations from one seed, with crashes at any call, also while it recovers      (invariants I1 to I9)
//	Fail         each call of a recorded run fails once: input/output error, no room, a short write     (I10)
//	Enumerate    each prefix of a recorded run, with sampled sectors of what was not synced
//	Flip         each bit of the closed files of a small store, and each length of them: told, or without harm
//
// After a crash there may be the state after any prefix of the batches that were handed over that is no shorter than what
// was reported durable, and nothing else ([History.Outcomes]).
package storetest
