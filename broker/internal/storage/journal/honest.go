//go:build !storage_lies

package journal

// lies is what the build tag storage_lies turns on: then frames count as durable before they are synced.
const lies = false
