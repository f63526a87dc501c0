// Package application starts, stops and updates the Managed Flink application through the service's API, waits for
// each of these to end, and says what failed. The deployer, which acts for CloudFormation, and the command line share
// it. Which query the application runs, and what the ledger says about it, is left to them.
//
// The application's status says little about its job. An application whose job fails and is restarted forever is
// RUNNING, too; such a job cannot take the snapshot that a stop or an update begins with, so the service refuses both.
// Hence two rules:
//
//   - An operation has succeeded when the service says so about the operation, and the job is steady: it has
//     completed a checkpoint, or has run for a minute without a restart. The application's metrics in CloudWatch
//     show that.
//   - If the service refuses to take a snapshot, the application is stopped by force, and Stopped.Cost says what
//     that costs.
//
// Sources: https://docs.aws.amazon.com/managed-flink/latest/java/how-running-apps.html (statuses),
// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-symptoms.html (refused snapshots, stuck
// statuses),
// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-system-rollback.html (operations) and
// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-rt-restarts.html (jobs that restart).
package application
