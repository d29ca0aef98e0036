// Package load holds what Warren's load generators share: a histogram of
// durations, and a reading of what a server process has used so far.
//
// The generators themselves are one package for each protocol below this one.
// They stand behind the command's bench subcommand and behind the programs in
// bench/, which run Warren and its peers in turn.
package load
