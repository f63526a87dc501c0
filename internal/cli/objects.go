package cli

import (
	"context"
	"strings"

	"streamproof/internal/objects"
	"streamproof/internal/terminal"
)

// objectsPermissions are what objects needs on AWS.
const objectsPermissions = "s3:ListBucket and s3:GetObject on the bucket, and cloudformation:DescribeStacks"

type objectsCmd struct {
	Key    string `arg:"" optional:"" help:"A folder, which ends in a slash, or an object to show (default: the folder of the rows)."`
	After  string `help:"List what comes after this key." placeholder:"KEY"`
	target `embed:""`
}

func (c *objectsCmd) Run(ctx context.Context, e *env) error {
	s, _, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	if c.Key == "" {
		c.Key = s.Outputs.DataPrefix
	}
	if !strings.HasSuffix(c.Key, "/") {
		contents, err := objects.Read(ctx, s, c.Key)
		if err != nil {
			return needs(err, objectsPermissions)
		}
		return e.show(c.JSON, contents, contentsText(contents))
	}
	listing, err := objects.List(ctx, s, c.Key, c.After)
	if err != nil {
		return needs(err, objectsPermissions)
	}
	return e.show(c.JSON, listing, listingText(listing))
}

func listingText(l *objects.Listing) terminal.Text {
	w := terminal.NewTable()
	w.Header("Modified", "Bytes", "Key")
	for _, folder := range l.Folders {
		w.Row("", "", folder)
	}
	for _, o := range l.Objects {
		w.Row(o.Modified.Format(timeFormat), o.Bytes, o.Key)
	}
	var b terminal.Builder
	b.Addf("s3://%s/%s\n%s", l.Bucket, l.Prefix, w.Text())
	if l.After != "" {
		b.Addf("\nThere are more: streamproof objects %s --after %s", l.Prefix, l.After)
	}
	return b.Text()
}

func contentsText(c *objects.Contents) terminal.Text {
	var b terminal.Builder
	w := terminal.NewTable()
	table := len(c.Columns) > 0
	if table {
		var header []any
		for _, column := range c.Columns {
			header = append(header, column)
		}
		w.HeaderAsItIs(header...)
	}
	for _, line := range c.Lines {
		switch {
		case line.Problem != "":
			b.Addf("line %d: %s: %s\n", line.Number, line.Problem, line.Text)
		case line.Envelope != nil:
			w.Row(line.Envelope.Reason, line.Envelope.Column, line.Envelope.Data)
		case table:
			var values []any
			for _, v := range line.Values {
				if v == nil {
					values = append(values, "NULL")
				} else {
					values = append(values, *v)
				}
			}
			w.Row(values...)
		default:
			b.Addf("%s\n", line.Text)
		}
	}
	b.Addf("%s", w.Text())
	if c.Truncated {
		b.Addf("\nThe object has more than these %d lines.", len(c.Lines))
	}
	if c.Problem != "" {
		b.Addf("\n%s", c.Problem)
	}
	return b.Text()
}
