// Package analytics holds the property group in which a person sets a query for the analytics application, in place of
// the one in its JAR. The query is split into parts, since a property holds at most 2,048 characters.
//
// No template has the group. UpdateApplication replaces all groups together, so a writer must keep the others as they
// are. The Flink job (Config.java) joins the parts, and does not start if their hash differs.
package analytics

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
)

// Group is the property group of a query that was set by hand.
const Group = "streamproof.sql"

// hashKey is the property with the SHA-256 of the complete query.
const hashKey = "sha256"

// The service's limits on a group: the length of a value, counted in UTF-16 units to be safe, and the number of
// properties, less the one for the hash.
// https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_PropertyGroup.html
const (
	PartLength = 2048
	MaxParts   = 49
)

// Properties returns the property group for a query in Flink SQL. The error gives its length and the limit.
func Properties(sql string) (types.PropertyGroup, error) {
	group := types.PropertyGroup{PropertyGroupId: aws.String(Group), PropertyMap: map[string]string{hashKey: hash(sql)}}
	parts, start, length := 0, 0, 0
	end := func(at int) {
		group.PropertyMap[fmt.Sprintf("%03d", parts)] = sql[start:at]
		parts, start, length = parts+1, at, 0
	}
	for at, r := range sql {
		units := utf16.RuneLen(r)
		if length+units > PartLength {
			end(at)
		}
		length += units
	}
	if start < len(sql) {
		end(len(sql))
	}
	switch {
	case parts == 0:
		return group, errors.New("there is no SQL")
	case parts > MaxParts:
		return group, fmt.Errorf("the SQL has %d characters as Flink runs it, and an application's properties hold %d x %d = %d: "+
			"put it into pipeline/pipeline.sql and deploy it", len(utf16.Encode([]rune(sql))), MaxParts, PartLength, MaxParts*PartLength)
	}
	return group, nil
}

func hash(sql string) string {
	sum := sha256.Sum256([]byte(sql))
	return hex.EncodeToString(sum[:])
}

// Groups returns an application's property groups with set in place of the query that was set before. If set is nil,
// none is set.
func Groups(described []types.PropertyGroup, set *types.PropertyGroup) []types.PropertyGroup {
	groups := slices.DeleteFunc(slices.Clone(described), func(g types.PropertyGroup) bool {
		return aws.ToString(g.PropertyGroupId) == Group
	})
	if set != nil {
		groups = append(groups, *set)
	}
	return groups
}

// Described returns the property groups that DescribeApplication reported.
func Described(app *types.ApplicationDetail) []types.PropertyGroup {
	if c := app.ApplicationConfigurationDescription; c != nil && c.EnvironmentPropertyDescriptions != nil {
		return c.EnvironmentPropertyDescriptions.PropertyGroupDescriptions
	}
	return nil
}

// Hash returns the SHA-256 of the query that the groups set, or "" if they set none.
func Hash(groups []types.PropertyGroup) string {
	for _, g := range groups {
		if aws.ToString(g.PropertyGroupId) == Group {
			return g.PropertyMap[hashKey]
		}
	}
	return ""
}
