package cli

import (
	"context"
	"fmt"
	"io"

	"streamproof/internal/local"
	"streamproof/internal/local/flink"
	"streamproof/internal/operate"
	"streamproof/internal/producer"
	"streamproof/internal/row"
	"streamproof/internal/terminal"
)

// sqlRunPermissions are what sql run needs on AWS, in addition to those of pause and resume.
const sqlRunPermissions = pausePermissions + "; kinesisanalytics:UpdateApplication on the application; " +
	"lambda:InvokeFunction on the producer's function; s3:GetObject and s3:PutObject on ledger/pipeline.json and ledger/pipelines/* of the stack's bucket, " +
	"and s3:ListBucket and s3:GetObject on its rows"

type sqlRunCmd struct {
	File    string `arg:"" help:"The query's file, or - for standard input: Flink SQL, or the SQL of Kinesis Data Analytics."`
	Records int    `help:"Records of the trial tick that is sent to show the first rows; 0 sends none." default:"200" placeholder:"N"`
	Force   bool   `help:"Change the query even if rows are missing, or still in flight at the deadline."`
	target  `embed:""`

	stdin io.Reader // stands in for standard input in tests
}

// Validate is called by kong.
func (c *sqlRunCmd) Validate() error {
	if c.Records < 0 || c.Records > producer.MaxRecords {
		return fmt.Errorf("--records is %d: give 0, for none, to %d", c.Records, producer.MaxRecords)
	}
	return c.target.Validate()
}

func (c *sqlRunCmd) Run(ctx context.Context, e *env) error {
	name, text, err := readQuery(c.File, c.stdin)
	if err != nil {
		return &usageError{err}
	}
	var changed *operate.Change
	err = c.operate(ctx, e, sqlRunPermissions, func(o *operate.Operator) (err error) {
		changed, err = o.ChangeQuery(ctx, operate.NewQuery{
			Name: name, SQL: text, Records: c.Records, Force: c.Force,
			Plan: func(ctx context.Context, schema []byte, sql string) ([]flink.Fault, error) {
				return plan(ctx, e, schema, sql)
			},
		})
		return err
	})
	if changed == nil {
		return err
	}
	for _, fault := range changed.Faults {
		_ = e.stderr.Println(faultText(name, fault))
	}
	if printErr := c.print(e, changed, err == nil); err == nil {
		err = printErr
	}
	return err
}

// plan has Flink plan the query, on this machine.
func plan(ctx context.Context, e *env, schema []byte, sql string) ([]flink.Fault, error) {
	root, err := e.root()
	if err != nil {
		return nil, err
	}
	checker, err := local.Checker(root)
	if err != nil {
		return nil, err
	}
	return checker.Check(ctx, schema, sql)
}

func faultText(name string, f operate.Fault) terminal.Text {
	if f.Translated == "" {
		return terminal.Format("%s:%d:%d: %s", name, f.Line, f.Column, f.Message)
	}
	return terminal.Format("%s: Flink refuses its translation at %d:%d: %s\n  %s", name, f.Line, f.Column, f.Message, f.Translated)
}

// print prints what was done, even by a change that failed.
func (c *sqlRunCmd) print(e *env, changed *operate.Change, succeeded bool) error {
	if c.JSON {
		return e.printJSON(changed)
	}
	var b terminal.Builder
	for _, did := range changed.Did {
		b.Addf("%s\n", did)
	}
	if len(changed.Rows) > 0 && succeeded {
		b.Addf("%s\n", rowsText(changed.Output, changed.Rows))
	}
	if succeeded {
		b.Addf("Next: streamproof verify, streamproof sql show.\n")
	}
	return e.stdout.Print(b.Text())
}

// rowsText draws the rows under what the query calls its columns, with the schema's names where those are others.
func rowsText(columns row.Schema, rows [][]*string) terminal.Text {
	w := terminal.NewTable()
	var header []any
	for _, c := range columns {
		if c.Name == c.Alias {
			header = append(header, c.Alias)
		} else {
			header = append(header, terminal.Format("%s\n%s", c.Alias, c.Name))
		}
	}
	w.HeaderAsItIs(header...)
	for _, values := range rows {
		var line []any
		for _, v := range values {
			if v == nil {
				line = append(line, "NULL")
			} else {
				line = append(line, *v)
			}
		}
		w.Row(line...)
	}
	return w.Text()
}
