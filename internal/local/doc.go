// Package local runs a whole stack on this machine: the emulator, the real deployment of the template by SAM, and the
// runner of the Flink job that follows the deployed application.
//
// A stack lives in a state directory, which holds what is running (stack.json and a .pid file a process), the logs, and
// the files of each part. Several stacks can run at once, each with a directory and a port of its own. Nothing outlives
// Stop, and nothing but what the directory names is ever ended.
package local
