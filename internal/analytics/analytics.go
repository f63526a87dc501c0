// Package analytics is how the analytics application is told of a query that a person has set in place of the JAR's own: in
// a group of its environment properties, in parts, since a property holds at most 2,048 characters.
//
// The group belongs to no template. Whoever writes it keeps all other groups as they are, because UpdateApplication replaces
// them together. The Flink job (Config.java) joins the parts, and does not start where their hash is another.
package analytics

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"unicode/utf16"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
)

// Group is the property group of a query that was set by hand.
const Group = "streamproof.sql"

// hashKey is the property that has the SHA-256 of the whole.
const hashKey = "sha256"

// The service's limits on a group: what a value may be, in UTF-16 units, which are no fewer than characters, and how many
// properties there may be, less the one of the hash.
// https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_PropertyGroup.html
const (
	PartLength = 2048
	MaxParts   = 49
)

// Properties gives a query, which is Flink SQL, as a property group. The error says how long it is and may be.
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
		return group, fmt.Errorf("there is no SQL")
	case parts > MaxParts:
		return group, fmt.Errorf("the SQL has %d characters as Flink runs it, and an application's properties hold %d x %d = %d: put it into pipeline/pipeline.sql and deploy it",
			len(utf16.Encode([]rune(sql))), MaxParts, PartLength, MaxParts*PartLength)
	}
	return group, nil
}

func hash(sql string) string {
	sum := sha256.Sum256([]byte(sql))
	return hex.EncodeToString(sum[:])
}

// Groups gives the property groups of an application with another query in place of what was set before, or with none where
// set is nil.
func Groups(described []types.PropertyGroup, set *types.PropertyGroup) []types.PropertyGroup {
	groups := slices.DeleteFunc(slices.Clone(described), func(g types.PropertyGroup) bool { return aws.ToString(g.PropertyGroupId) == Group })
	if set != nil {
		groups = append(groups, *set)
	}
	return groups
}

// Described gives the property groups that DescribeApplication has told of.
func Described(app *types.ApplicationDetail) []types.PropertyGroup {
	if c := app.ApplicationConfigurationDescription; c != nil && c.EnvironmentPropertyDescriptions != nil {
		return c.EnvironmentPropertyDescriptions.PropertyGroupDescriptions
	}
	return nil
}

// Hash gives the SHA-256 of the query that the groups set, empty where they set none.
func Hash(groups []types.PropertyGroup) string {
	for _, g := range groups {
		if aws.ToString(g.PropertyGroupId) == Group {
			return g.PropertyMap[hashKey]
		}
	}
	return ""
}
