// Package console serves the console: a page on 127.0.0.1 that shows a stack, on this machine or on AWS, or an audit.
//
// Everything that a page shows is a topic. A topic is read by one poller however many pages watch it, and by none if
// no page does. Pages receive topics as server-sent events, each event with the topic's complete state. What takes
// longer than an answer, such as a verification or a change of the query, is an operation, and operations are a topic
// themselves.
//
// The server trusts nobody on the machine without its token, no other site in the browser, and nothing in the data:
// see guard.
package console
