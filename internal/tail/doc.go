// Package tail follows a stream as its records arrive. It counts all of them and shows as many as a person can read:
// where more come, it says how many it has left out, and holds no more memory.
package tail
