package bucket

import (
	"context"
	"fmt"
	"iter"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Pages lists with ListObjectsV2 and yields each page with its keys decoded. It asks S3 to URL-encode them, because a
// key may hold characters that XML cannot, and one such key fails a listing that is not encoded.
func Pages(ctx context.Context, client s3.ListObjectsV2APIClient, input *s3.ListObjectsV2Input) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		encoded := *input
		encoded.EncodingType = types.EncodingTypeUrl
		for pages := s3.NewListObjectsV2Paginator(client, &encoded); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err == nil && page.EncodingType == types.EncodingTypeUrl {
				err = decodeKeys(page.Contents)
			}
			if !yield(page, err) || err != nil {
				return
			}
		}
	}
}

func decodeKeys(objects []types.Object) error {
	for i, o := range objects {
		if o.Key == nil {
			continue
		}
		key, err := url.QueryUnescape(*o.Key)
		if err != nil {
			return fmt.Errorf("key %q is not URL-encoded as asked: %w", *o.Key, err)
		}
		objects[i].Key = &key
	}
	return nil
}
