package bucket

import (
	"context"
	"net/url"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"pgregory.net/rapid"
)

// lister lists keys. It encodes them if asked to, as S3 does, or never, as some emulators do.
type lister struct {
	keys    []string
	encodes bool
}

func (l lister) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	out := &s3.ListObjectsV2Output{}
	for _, key := range l.keys {
		if l.encodes && in.EncodingType == types.EncodingTypeUrl {
			key, out.EncodingType = url.QueryEscape(key), in.EncodingType
		}
		out.Contents = append(out.Contents, types.Object{Key: aws.String(key)})
	}
	return out, nil
}

// TestPagesGiveKeysAsTheyAre lists keys of any characters, from servers that encode them and from servers that do not.
func TestPagesGiveKeysAsTheyAre(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"a\x01b", "a b", "a+b", "a%20b", "ñ/\x1b[2J"}))).Draw(t, "keys")
		var got []string
		for page, err := range Pages(t.Context(), lister{keys, rapid.Bool().Draw(t, "encodes")}, &s3.ListObjectsV2Input{}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Contents {
				got = append(got, aws.ToString(o.Key))
			}
		}
		if !slices.Equal(got, keys) {
			t.Fatalf("got %q, want %q", got, keys)
		}
	})
}
