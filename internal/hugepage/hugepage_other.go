//go:build !linux

// Package hugepage asks the operating system for larger pages.
package hugepage

// Advise does nothing here.
func Advise[T any]([]T) {}
