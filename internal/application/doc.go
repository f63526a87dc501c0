// Package application is the Managed Flink application as the service shows it: it starts, stops and updates one, waits
// for what it asked for, and says what failed.
//
// The application's status says little of its job. RUNNING is also the status of an application whose job fails and is
// restarted for ever, and such a job cannot take the snapshot that a stop or an update begins with, so the service
// refuses both. Hence two rules:
//
//   - An operation has succeeded when the service says so of the operation, and the job is steady: it has completed a
//     checkpoint, or has run for a minute without a restart. CloudWatch's metrics of the application tell.
//   - Where the service refuses to take a snapshot, the application is stopped by force, and Stopped.Cost says what
//     that costs.
//
// The deployer, which acts for CloudFormation, and the command line share it. Which query the application runs, and what
// the ledger says of that, is left to them.
//
// Sources: https://docs.aws.amazon.com/managed-flink/latest/java/how-running-apps.html (statuses),
// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-symptoms.html (refused snapshots, stuck
// statuses),
// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-system-rollback.html (operations) and
// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-rt-restarts.html (jobs that restart).
package application
