//go:build storage_lies

package journal

// lies makes the journal say that a frame is durable before it is synced. Tests of durability that pass nevertheless see
// nothing: this is what they are tested with.
const lies = true
