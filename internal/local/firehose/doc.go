// Package firehose is the data plane of Firehose delivery streams on this machine: it accepts records as Firehose does,
// buffers them, has a Lambda function transform them, and writes them to S3.
//
// The delivery streams are the emulator's. The server asks it for their definitions and acts as the roles that they
// name. It follows AWS's documented rules on limits, buffering, transforms, failed records, prefixes and object names;
// each rule names its page. If the pages are silent, a comment says what was chosen.
//
// A record that was accepted is written at least once, unless a hook or the end of the process prevents it: everything
// is in memory. Records keep their order. Faults come from Hooks only.
//
// It supports Direct PUT streams with an extended S3 destination, GZIP, and one Lambda processor. It refuses a stream
// that asks for anything else, and names it. The life cycle of streams, and authorization, are left to the emulator.
package firehose
