// Command resolve prints the project's schema in the resolved form, which the Flink job reads.
package main

import (
	"fmt"
	"os"

	"streamproof/internal/pipeline"
)

func main() {
	p, err := pipeline.Embedded()
	if err == nil {
		var resolved []byte
		if resolved, err = p.Schema.Resolved(); err == nil {
			_, err = os.Stdout.Write(resolved)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
