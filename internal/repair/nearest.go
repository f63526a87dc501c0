package repair

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
)

// Nearest gives rows the folder of the object that was written next, where a pipeline's keys do not say the hour.
type Nearest struct {
	Read bucket.Bucket
	// Name is that of Rows. What repairs made, at a time that says nothing of its rows, is left out.
	Name string
	// Except, unless it is empty, is a prefix whose objects do not count: the errors may be below the rows.
	Except string

	listed map[string][]bucket.Object // by prefix, in the order in which they were written
}

// Folder is Rows.Folder: the folder of the first object below the prefix that was written when a row was due or later,
// else of the last one before.
func (n *Nearest) Folder(ctx context.Context, prefix string, due time.Time) (string, error) {
	objects, known := n.listed[prefix]
	if !known {
		listed, _, err := n.Read.List(ctx, prefix)
		if err != nil {
			return "", fmt.Errorf("list the objects under %s: %w", prefix, err)
		}
		objects = slices.DeleteFunc(listed, func(o bucket.Object) bool {
			return o.Size == 0 || strings.Contains(o.Key, n.Name+madeMark) || n.Except != "" && strings.HasPrefix(o.Key, n.Except)
		})
		slices.SortStableFunc(objects, func(a, b bucket.Object) int { return a.LastModified.Compare(b.LastModified) })
		if n.listed == nil {
			n.listed = map[string][]bucket.Object{}
		}
		n.listed[prefix] = objects
	}
	if len(objects) == 0 {
		return prefix, nil
	}
	at, _ := slices.BinarySearchFunc(objects, due, func(o bucket.Object, due time.Time) int { return o.LastModified.Compare(due) })
	key := objects[min(at, len(objects)-1)].Key
	if folder := key[:strings.LastIndex(key, "/")+1]; len(folder) > len(prefix) {
		return folder, nil
	}
	return prefix, nil
}
