// Package epoch divides the life of a stack into epochs, each judged by itself.
//
// An epoch begins when the query changes. Where the change was clean, nothing of the epochs before was on its way, so
// time tells to which epoch an object belongs. Where it was forced, the rows of both epochs may stand in one object:
// their form tells them apart, and otherwise what is open in each. A forced change between two judged queries of the
// same columns begins no epoch, since nothing tells their rows apart: they are counted together.
//
// The package knows neither objects nor ticks, only their times.
package epoch
