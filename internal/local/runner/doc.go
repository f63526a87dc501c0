// Package runner runs, in a JVM on this machine, the Flink job of an application that the emulator only keeps books of.
// As the service does, it submits the job's JAR to a cluster over REST, and names no class of it.
//
// It follows the application as the service would: what DescribeApplication says decides. A started application runs,
// with that version's properties, from the JAR that it names in S3; a stopped one is stopped with a savepoint, and one
// that is stopped by force without; a new version starts from the savepoint of the one before; a start that was asked
// for takes a snapshot's savepoint, and never a checkpoint; a job that ends by itself is started again from the last
// checkpoint. The JVM has the credentials of the application's own role and no others.
//
// The emulator has snapshots by name and time, without state: the runner finds the savepoint that was taken for one.
package runner
