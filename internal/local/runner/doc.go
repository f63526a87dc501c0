// Package runner runs the Flink job of an application in a JVM on this machine; the emulator only keeps its
// description. As the service does, it submits the job's JAR to a cluster over REST, and names no class of it.
//
// It follows DescribeApplication as the service would. A started application runs with that version's properties, from
// the JAR that it names in S3. A stopped one is stopped with a savepoint, or without if the stop is forced. A new
// version starts from the savepoint of the previous one. A start that was asked for takes a snapshot's savepoint, never
// a checkpoint. A job that ends by itself is started again from the last checkpoint. The JVM has the credentials of the
// application's role and no others.
//
// The emulator keeps snapshots by name and time, without state. The runner finds the savepoint that was taken for one.
package runner
