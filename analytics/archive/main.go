// Command archive archives the classes of Flink and of the job, so that the JVMs of local stacks start sooner.
package main

import (
	"context"
	"fmt"
	"os"

	"streamproof/internal/local"
	"streamproof/internal/local/emulator"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root, err := os.Getwd() // a JVM uses the archive only if its class path has the same names
	if err != nil {
		return err
	}
	checker, err := local.Checker(root)
	if err != nil {
		return err
	}
	port, err := emulator.FreePort(0)
	if err != nil {
		return err
	}
	return checker.Archive(ctx, port)
}
