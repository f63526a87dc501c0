// Package deployer does what CloudFormation cannot do by itself for the stack's bucket and the analytics application, as
// custom resources:
//
//   - Custom::BucketContents claims the bucket for the stack, in the ledger, since what two stacks write into one
//     bucket cannot be told apart. With the stack it deletes what is to go: everything, where the template says so of a
//     bucket of the stack's own; else the JARs, and the bookkeeping of a stack that has produced nothing, so that
//     CloudFormation can delete the bucket of one that never came to be. A bucket that an update replaces is left as it
//     is, whatever was said of it: the stack stays, and its old data is for its owner to delete. All that writes into
//     the bucket depends on this resource, and so is gone when it is deleted.
//   - Custom::AnalyticsCode puts the application's JAR, which is part of the deployer's own package, into the bucket
//     under the hash of its content. Managed Flink does not notice a new file under an old key, so new code has a new
//     key; the JAR under the old one goes, with all its versions, when CloudFormation deletes the resource that it
//     replaced, which is after the update has succeeded and not before: a rollback finds the old JAR in its place.
//   - Custom::KnownRoles waits after roles were created: for some seconds IAM does not know a new role everywhere, and
//     both Managed Flink and Firehose use theirs when an application or a delivery stream is created.
//   - Custom::AnalyticsGate is asked before CloudFormation changes the application. A job that keeps failing
//     cannot take the snapshot that an update begins with, so the service would refuse the update, and the rollback too:
//     such an application is stopped by force.
//   - Custom::AnalyticsRun starts the application (CloudFormation creates it, but never starts it), waits until its
//     job is steady and then publishes the pipeline, so that what is published has run. Where the job is not steady it
//     stops the application by force, so that the rollback finds one that can be changed. When it is deleted it stops
//     the application.
//
// Every request is answered, with a reason where it fails, before the function's own time is over: CloudFormation would
// wait an hour for an answer that does not come.
package deployer
