// The producer's function, started by the schedule and by hand; see package producer.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/caarlos0/env/v11"

	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/producer"
	"streamproof/internal/stream"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "producer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	p, err := pipeline.Embedded()
	if err != nil {
		return err
	}
	settings, err := producer.ReadConfig(env.ToMap(os.Environ()), p)
	if err != nil {
		return err
	}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("load the AWS configuration: %w", err)
	}
	store := ledger.NewStore(s3.NewFromConfig(aws), settings.Bucket)
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	handler, err := producer.New(settings, p, stream.NewClient(aws), store, log, os.Stdout)
	if err != nil {
		return err
	}
	lambda.Start(handler.Handle)
	return nil
}
