// Package repair puts right what a verdict names.
//
// Surplus copies and broken lines are taken out of their objects: the original is copied to a prefix that nothing
// judges, the ledger says what is going to be rewritten, and then each object is replaced on condition that it is still
// the one that was judged. Whoever finds such a claim open finishes it, so a repair may be killed anywhere, and two at
// once do what one does.
//
// The package takes what a verification has found, and judges nothing itself.
package repair
