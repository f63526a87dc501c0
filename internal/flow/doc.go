// Package flow is the picture of a stack at one moment: what is produced, streamed, analysed and delivered, how fast,
// the verdict over all of it, and what is wrong with what to do about it. The console draws it, and `streamproof status
// --json` prints it.
//
// On AWS the rates are CloudWatch's, at most a minute old when they arrive. On a local stack they are counted: records
// as the stream gives them to a reader of its own, rows as Flink counts them.
package flow
