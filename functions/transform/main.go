// The function that Firehose calls to transform records before it writes them to S3; see package reshape.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/caarlos0/env/v11"

	"streamproof/internal/pipeline"
	"streamproof/internal/reshape"
)

var _ lambda.Handler = (*reshape.Handler)(nil)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "transform:", err)
		os.Exit(1)
	}
}

func run() error {
	p, err := pipeline.Embedded()
	if err != nil {
		return err
	}
	settings, err := reshape.ReadConfig(env.ToMap(os.Environ()))
	if err != nil {
		return err
	}
	handler, err := reshape.New(settings, p, slog.New(slog.NewJSONHandler(os.Stdout, nil)), os.Stdout)
	if err != nil {
		return err
	}
	lambda.Start(handler)
	return nil
}
