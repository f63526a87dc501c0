// Package generator makes the records of a tick, as the schema's fake specs describe them.
//
// A record is a pure function of the seed, the tick (its time, number of records, spread and poison) and the record's
// index: the same ones give the same bytes on every machine, in any order and in every release with the same Version,
// so the records of every tick can be regenerated without having been stored.
//
// The randomness is counter-based, so that any record, and any column of it, is made without making those before it:
//
//	state  = mix(mix(mix(seed+γ) + γ + tick) + γ + index)       tick in milliseconds since 1970, UTC
//	draw k = mix(state + (k+1)·γ)                               k counts the schema's ranges, column by column, from 0
//	number = low + ⌊draw · (high−low+1) / 2⁶⁴⌋                  for a range [low, high]
//	key    = mix(state), in hexadecimal                         the uniform partition key
//
// where γ and mix are those of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
// OOPSLA 2014). A number is off uniform by less than one part in 2⁶⁴/(high−low+1).
//
// A tick may have records that are malformed on purpose, so that what becomes of them can be proven, too. Such a
// record is its own well-formed line, spoiled, and perhaps a good line before and after it:
//
//	damage = mix(state − γ)                                 bit 0: a line before; bit 1: a line after
//	column = the one of number ⌊damage · n / 2⁶⁴⌋           of the n columns that the fault is for
//	before = the line of state mix(state − 2γ)              with the record's own planned time
//	after  = the line of state mix(state − 3γ)
//
// Each line of a record, good or bad, ends with a newline; only an empty record has none.
package generator
