// Package fault breaks a local stack on purpose, from outside: it stands proxies between its parts and kills its
// processes.
//
// Most faults are microburst's, a proxy that answers as AWS does when it fails (https://pypi.org/project/microburst/).
// What it does not do, Proxy does: entries of a batch that are refused or fail, an answer of 5xx to a write that went
// through, and an answer without a body that is lost.
package fault
