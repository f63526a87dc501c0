// Package deployer does what CloudFormation cannot do by itself for the analytics application, as two custom resources:
//
//   - Custom::AnalyticsCode puts the application's JAR, which is part of the deployer's own package, into the bucket
//     under the hash of its content. Managed Flink does not notice a new file under an old key, so new code has a new
//     key; the JAR under the old one goes when CloudFormation deletes the resource that it replaced, which is after
//     the update has succeeded and not before: a rollback finds the old JAR in its place.
//   - Custom::AnalyticsRun starts the application (CloudFormation creates it, but never starts it), waits until it runs
//     and then publishes the pipeline, so that what is published has run. When it is deleted it stops the application.
//
// Every request is answered, with a reason where it fails, before the function's own time is over: CloudFormation would
// wait an hour for an answer that does not come.
package deployer
