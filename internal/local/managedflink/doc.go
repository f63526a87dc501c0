// Package managedflink stands in for Managed Flink on this machine: it answers what the service answers, and says no
// where the service does.
//
// The emulator is the control plane that holds the applications, and who may call what; the runner runs their jobs. This
// server stands in front of the emulator. It knows from the runner how a job is, and so which status the application
// has, how the last operation ended, and which call the service would refuse:
//
//   - A stop with a snapshot, and an update of a running application, need a job that can take a snapshot. One that is
//     down is refused both: https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-symptoms.html
//   - RUNNING is the status of an application whose job was accepted, also where it fails and is restarted for ever:
//     https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-rt-restarts.html
//   - In a transient status no other call is taken, but a stop by force:
//     https://docs.aws.amazon.com/managed-flink/latest/java/how-running-apps.html and
//     https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_StopApplication.html
//   - Each start, stop, update and rollback is an operation with a status of its own:
//     https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-system-rollback.html
//   - An update whose code does not come up leaves the application READY, or is rolled back where the application says
//     so: https://docs.aws.amazon.com/managed-flink/latest/java/how-system-rollbacks.html
//   - The role is used when the application is created, to read its code. One that was created a moment ago is not
//     known:
//     https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
//   - Metrics of the job go to CloudWatch, and the exceptions that it fails with to the application's log stream:
//     https://docs.aws.amazon.com/managed-flink/latest/java/metrics-dimensions.html
//
// Versions, the token of a concurrent change and the CreateTimestamp of a deletion are checked by the emulator, as
// documented. The emulator's CloudFormation does not call the service but asks at emulator.GatePath; see gated.py there.
//
// What is refused by one of these rules is refused whoever asks: the emulator, which knows who may ask, sees only what
// is passed on to it. AUTOSCALING and MAINTENANCE never occur here, and a snapshot of a running application cannot be
// created.
package managedflink
