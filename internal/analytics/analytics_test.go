package analytics_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"pgregory.net/rapid"

	"streamproof/internal/analytics"
)

// TestPartsJoin checks that the parts, in the order of their keys, are the SQL, and that the service accepts each.
func TestPartsJoin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.StringN(1, 40, -1).Draw(t, "unit")
		sql := strings.Repeat(unit, rapid.IntRange(1, 1+40_000/len(unit)).Draw(t, "times"))
		group, err := analytics.Properties(sql)
		if err != nil {
			t.Fatal(err)
		}
		joined := ""
		for _, key := range slices.Sorted(maps.Keys(group.PropertyMap)) {
			part := group.PropertyMap[key]
			if key == "sha256" {
				continue
			}
			if n := len(utf16.Encode([]rune(part))); n < 1 || n > 2048 || !utf8.ValidString(part) {
				t.Fatalf("part %s has %d units", key, n)
			}
			joined += part
		}
		if joined != sql || len(group.PropertyMap) > 50 {
			t.Fatalf("%d properties are %d bytes, want %d", len(group.PropertyMap), len(joined), len(sql))
		}
		if got := analytics.Hash([]types.PropertyGroup{group}); len(got) != 64 {
			t.Fatalf("the hash is %q", got)
		}
	})
}

func TestLongestSQL(t *testing.T) {
	t.Parallel()
	if group, err := analytics.Properties(strings.Repeat("x", 49*2048)); err != nil || len(group.PropertyMap) != 50 {
		t.Errorf("got %d properties, %v, want 50", len(group.PropertyMap), err)
	}
	_, err := analytics.Properties(strings.Repeat("x", 49*2048+1))
	if err == nil || !strings.Contains(err.Error(), "has 100353 characters") ||
		!strings.Contains(err.Error(), "49 x 2048 = 100352") {
		t.Errorf("got error %v, want one with the length and the limit", err)
	}
	if _, err := analytics.Properties(""); err == nil {
		t.Error("an empty query was accepted")
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	group := func(id string) types.PropertyGroup { return types.PropertyGroup{PropertyGroupId: aws.String(id)} }
	set := group(analytics.Group)
	for _, test := range []struct {
		name string
		was  []types.PropertyGroup
		set  *types.PropertyGroup
		want string
	}{
		{"set", []types.PropertyGroup{group("a"), group("b")}, &set, "a b streamproof.sql"},
		{"set again", []types.PropertyGroup{group("a"), set, group("b")}, &set, "a b streamproof.sql"},
		{"removed", []types.PropertyGroup{group("a"), set}, nil, "a"},
		{"none was set", []types.PropertyGroup{group("a")}, nil, "a"},
	} {
		var got []string
		for _, g := range analytics.Groups(test.was, test.set) {
			got = append(got, *g.PropertyGroupId)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
