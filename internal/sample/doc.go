// Package sample reads a part of a stream, a file or an S3 prefix for package discover. It leaves most of each shard's
// read throughput to the application.
package sample
