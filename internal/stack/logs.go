package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"streamproof/internal/logs"
)

// LogParts are the parts of a stack that may log, in the order in which a record passes them.
var LogParts = []string{"producer", "flink", "transform", "delivery", "verifier", "deployer"}

// logGroups are the template's log groups, by part.
var logGroups = map[string]string{
	"producer": "ProducerLogs", "flink": "AnalyticsLogs", "transform": "TransformLogs",
	"delivery": "DeliveryLogs", "verifier": "VerifierLogs", "deployer": "DeployerLogs",
}

// Logs are the log groups that the stack has, read from a moment on with the caller's own credentials.
func (s *Stack) Logs(ctx context.Context, since time.Time) ([]logs.Source, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	groups := map[string]string{}
	pages := cloudformation.NewListStackResourcesPaginator(s.cloudformation, &cloudformation.ListStackResourcesInput{StackName: &s.Name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the resources of stack %s: %w", s.Name, err)
		}
		for _, r := range page.StackResourceSummaries {
			groups[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
		}
	}
	var sources []logs.Source
	for _, part := range LogParts {
		if group := groups[logGroups[part]]; group != "" {
			sources = append(sources, logs.NewGroup(s.logs, part, group, since))
		}
	}
	return sources, nil
}
