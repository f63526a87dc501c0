// Package managedflink stands in for Managed Flink on this machine: it answers as the service does, and refuses what
// the service refuses.
//
// The emulator is the control plane: it holds the applications and decides who may call what. The runner runs their
// jobs. This server stands in front of the emulator. From the runner's view of a job it derives the application's
// status, the result of its last operation, and which calls the service would refuse:
//
//   - A stop with a snapshot, and an update of a running application, need a job that can take a snapshot. A job that
//     is down is refused both: https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-symptoms.html
//   - RUNNING is the status of an application whose job was accepted, even if the job fails and restarts forever:
//     https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-rt-restarts.html
//   - In a transient status, only a forced stop is accepted:
//     https://docs.aws.amazon.com/managed-flink/latest/java/how-running-apps.html and
//     https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_StopApplication.html
//   - Each start, stop, update and rollback is an operation with its own status:
//     https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-system-rollback.html
//   - An update whose code does not start leaves the application READY, or is rolled back if the application is
//     configured so: https://docs.aws.amazon.com/managed-flink/latest/java/how-system-rollbacks.html
//   - The role is used to read the code when the application is created. A role that was created a moment ago cannot be
//     assumed yet:
//     https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
//   - The job's metrics go to CloudWatch, and its exceptions to the application's log stream:
//     https://docs.aws.amazon.com/managed-flink/latest/java/metrics-dimensions.html
//
// The emulator checks versions, the token of a concurrent change and the CreateTimestamp of a deletion, as documented.
// Its CloudFormation does not call the service but asks at emulator.GatePath; see gated.py there.
//
// These rules apply to every caller alike: the emulator decides who may call, and sees only what is passed on to it.
// AUTOSCALING and MAINTENANCE never occur here. A snapshot of a running application cannot be created.
package managedflink
