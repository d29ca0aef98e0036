// Package message is the form in which messages travel through the broker: the bytes that their origin sent, unchanged,
// beside the broker's annotations, and a neutral view for whoever reads them in another protocol.
//
// A message that stays within one protocol is never converted. Converting is done lazily and at the border, by the front
// that delivers it: the table in origin.go names, for each origin, how its property bytes are read. N protocols therefore
// cost N rows, not N×N converters.
//
// The package is pure: bytes and values in, bytes and values out.
package message
