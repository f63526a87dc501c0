// Package local runs a complete stack on this machine: the emulator, the real deployment of the template by SAM, and
// the follower, which stands in for Managed Flink and the delivery streams and runs the applications' jobs.
//
// A stack lives in a state directory: what is running (stack.json and a .pid file for each process), the logs and the
// files of each part. Several stacks can run at once, each with its own directory and port. Nothing outlives Stop, and
// only processes that the directory names are ever ended.
package local
