// The verifier's function, started on a schedule and by hand; see package verifier.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/caarlos0/env/v11"

	"streamproof/internal/bucket"
	"streamproof/internal/verifier"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	settings, err := verifier.ReadConfig(env.ToMap(os.Environ()))
	if err != nil {
		return err
	}
	aws, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(bucket.HTTPClient()))
	if err != nil {
		return fmt.Errorf("load the AWS configuration: %w", err)
	}
	objects := s3.NewFromConfig(aws, func(o *s3.Options) {
		o.DisableLogOutputChecksumValidationSkipped = settings.AuditFrom != "" // objects of others have none
	})
	lambda.Start(verifier.NewHandler(settings, objects, kinesis.NewFromConfig(aws), os.Stdout).Handle)
	return nil
}
