// The deployer is the custom resources' function; see package deployer.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/deployer"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "deployer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	p, err := pipeline.Embedded()
	if err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	var period time.Duration // the service's own where it is not set
	if text := os.Getenv("METRIC_PERIOD"); text != "" {
		if period, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("METRIC_PERIOD: %w", err)
		}
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	objects := s3.NewFromConfig(cfg)
	d := &deployer.Deployer{
		JAR:          filepath.Join(filepath.Dir(executable), deployer.JARName),
		Pipeline:     p,
		Uploader:     manager.NewUploader(objects),
		Objects:      objects,
		Ledger:       func(bucket string) deployer.Ledger { return ledger.NewStore(objects, bucket) },
		Applications: kinesisanalyticsv2.NewFromConfig(cfg),
		Metrics:      cloudwatch.NewFromConfig(cfg),
		MetricPeriod: period,
		Logs:         cloudwatchlogs.NewFromConfig(cfg),
		Stacks:       cloudformation.NewFromConfig(cfg),
		Log:          slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	}
	lambda.Start(cfn.LambdaWrap(d.Handle))
	return nil
}
