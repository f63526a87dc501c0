// Package rewrite makes an object without some of its lines. It keeps every other byte as it is, and the compression.
package rewrite
