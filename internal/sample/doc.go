// Package sample reads a part of a stream, a file or an S3 prefix, for package discover. It only reads, and it leaves
// most of what a shard may be read to the application.
package sample
