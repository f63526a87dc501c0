// Package deployer does what CloudFormation cannot do by itself for the stack's bucket and the analytics application,
// as custom resources:
//
//   - Custom::BucketContents claims the bucket for the stack, in the ledger, because the data of two stacks in one
//     bucket cannot be told apart. When the stack is deleted, it deletes everything, if the template says so for a
//     bucket of the stack's own; else the JARs, and the bookkeeping of a stack that has produced nothing, so that
//     CloudFormation can delete the bucket of a stack whose creation failed. A bucket that an update replaces is
//     left alone: its data is for its owner to delete. Everything that writes into the bucket depends on this
//     resource, and so is gone when it is deleted.
//   - Custom::AnalyticsCode puts the application's JAR, which is part of the deployer's own package, into the bucket
//     under the hash of its content. Managed Flink does not notice a new file under an old key, so new code has a
//     new key. The JAR under the old key is deleted, with all its versions, when CloudFormation deletes the replaced
//     resource. That is after the update has succeeded, so a rollback still finds the old JAR.
//   - Custom::KnownRoles waits after roles were created. IAM takes some seconds to make a new role known everywhere,
//     and Managed Flink and Firehose use theirs as soon as an application or a delivery stream is created.
//   - Custom::AnalyticsGate runs before CloudFormation changes the application. A job that keeps failing cannot take
//     the snapshot that an update begins with, so the service would refuse the update, and the rollback, too. Such
//     an application is stopped by force.
//   - Custom::AnalyticsRun starts the application, which CloudFormation only creates, waits until its job is steady,
//     and then publishes the pipeline, so that what is published has run. If the job does not become steady, it
//     stops the application by force, so that the rollback can change it. When the resource is deleted, it stops the
//     application.
//
// Every request is answered before the function's own time is over, with a reason if it failed: CloudFormation would
// wait an hour for a missing answer.
package deployer
