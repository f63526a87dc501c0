package process

import (
	"slices"
	"strings"
)

// UTF8 is the variable that has a program read and write file names, and print, in UTF-8, whatever the user's locale is. A
// JVM without it cannot open a file whose name is not ASCII.
const UTF8 = "LC_ALL=C.UTF-8"

// loopback are the names of this machine that no proxy may be asked for. Go never asks one for them; Python does.
const loopback = "127.0.0.1,localhost"

// Environ returns the environment for a program that works on this machine: with UTF8, and without a proxy in front of
// the loopback. The user's proxy stays in place for everything else, such as downloads.
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
		exceptions = "*" // which means every host only where it stands alone
	}
	// Programs differ in which of the two they read.
	return append(kept, "no_proxy="+exceptions, "NO_PROXY="+exceptions, UTF8)
}
