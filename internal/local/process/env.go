package process

import (
	"slices"
	"strings"
)

// UTF8 is the variable that makes a program use UTF-8 for file names and output, whatever the user's locale. Without it
// a JVM cannot open a file whose name is not ASCII.
const UTF8 = "LC_ALL=C.UTF-8"

// loopback are this machine's names, for which no proxy may be used. Go never uses one for them; Python does.
const loopback = "127.0.0.1,localhost"

// Environ returns the environment for a program that works on this machine: with UTF8, and with no proxy for the
// loopback. The user's proxy still serves everything else, such as downloads.
func Environ(env []string) []string {
	var kept, direct []string
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case !strings.EqualFold(name, "no_proxy"):
			kept = append(kept, v)
		case value != "" && !slices.Contains(direct, value):
			direct = append(direct, value)
		}
	}
	exceptions := strings.Join(append(direct, loopback), ",")
	if slices.Contains(direct, "*") {
		exceptions = "*" // it means every host only if it is alone
	}
	// Programs differ in which of the two they read.
	return append(kept, "no_proxy="+exceptions, "NO_PROXY="+exceptions, UTF8)
}
