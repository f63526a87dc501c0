package bucket

import (
	"context"
	"fmt"
	"iter"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Pages lists by ListObjectsV2, and gives each page with its keys as they are. It asks S3 to encode them as URLs do, because a
// key may hold characters that XML cannot: a listing that is not encoded fails as a whole.
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
			return fmt.Errorf("key %q is not encoded as asked: %w", *o.Key, err)
		}
		objects[i].Key = &key
	}
	return nil
}

// Find lists the object of exactly this key, nil where there is none.
func Find(ctx context.Context, b Bucket, key string) (*Object, error) {
	listed, _, err := b.List(ctx, key)
	if err != nil {
		return nil, err
	}
	for _, o := range listed {
		if o.Key == key {
			return &o, nil
		}
	}
	return nil, nil
}

// IsMarker reports whether an object stands for a folder, as consoles and copying tools make them: it is empty, and its key ends
// in a slash.
func IsMarker(o Object) bool { return o.Size == 0 && len(o.Key) > 0 && o.Key[len(o.Key)-1] == '/' }
