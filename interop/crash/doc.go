// Package crash holds no code: its tests run a real warren on a data folder under load, end it in every bad way, start it
// again on the same folder, and hold what its clients were told against what they find. docs/durability.md is what they
// may expect.
//
//	history_test.go   what the clients have said, were told and have seen, and where that contradicts itself
//	verdict_test.go   what must be there when everything was fetched, and what must not
//	clients_test.go   publishers, consumers and transactions
//	harness_test.go   rounds of load, pauses, kills and restarts
//	kill_test.go      SIGKILL; a power cut (a warren that loses with its life what it has not synced); a journal that lies
//	fulldisk_test.go  a small disk that gets full under load, and what each client sees of it
package crash
