// Package local runs a whole stack on this machine: the emulator, the real deployment of the template by SAM, and the
// follower, which stands in for Managed Flink and for the delivery streams and runs the jobs of the deployed
// applications.
//
// A stack lives in a state directory, which holds what is running (stack.json and a .pid file a process), the logs, and
// the files of each part. Several stacks can run at once, each with a directory and a port of its own. Nothing outlives
// Stop, and nothing but what the directory names is ever ended.
package local
