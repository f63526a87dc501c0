// Package draft is a schema before it is deployed: discovered, tried on a sample and on the query, and written into a
// project's pipeline folder.
//
// A sample is read by the parser that the verifier has, as the job reads it. What the rest of the system does not
// support is refused before anything is written.
package draft
