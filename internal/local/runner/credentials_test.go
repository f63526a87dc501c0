package runner

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// An assumer counts how often a role is assumed.
type assumer int

func (a *assumer) AssumeRole(_ context.Context, in *sts.AssumeRoleInput, _ ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	*a++
	return &sts.AssumeRoleOutput{Credentials: &types.Credentials{
		AccessKeyId: aws.String("key"), SecretAccessKey: aws.String("secret"), SessionToken: aws.String("token"),
		Expiration: aws.Time(time.Now().Add(time.Duration(*in.DurationSeconds) * time.Second)),
	}}, nil
}

func TestRoleIsAssumedOnce(t *testing.T) {
	var assumed assumer
	v, err := newVendor(&assumed, "arn:aws:iam::000000000000:role/job", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", v.Token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Error(answer.Status)
		}
	}
	if assumed != 1 {
		t.Errorf("the role was assumed %d times for three calls, want once", assumed)
	}
}
