// Package firehose is the data plane of Firehose delivery streams on this machine: it takes records as Firehose does,
// gathers them, has a Lambda function transform them, and writes them to S3.
//
// The delivery streams themselves are the emulator's: the server asks it for their definition, and acts as the role that
// stands there. It keeps AWS's documented rules on limits, buffering, transforms, failed records, prefixes and object
// names; each rule names its page. Where the pages are silent, a comment says what was chosen.
//
// It promises that a record that was taken is written at least once, unless a hook or the end of the process comes
// between: everything is in memory. Records keep their order. Faults come by Hooks only.
//
// It knows Direct PUT streams with an extended S3 destination, GZIP, and one Lambda processor. A stream that asks for
// anything else is refused by the name of that. It leaves the life of streams, and who may do what, to the emulator.
package firehose
