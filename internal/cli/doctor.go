package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"streamproof/internal/doctor"
	"streamproof/internal/local"
	"streamproof/internal/local/emulator"
	"streamproof/internal/local/sam"
	"streamproof/internal/price"
	"streamproof/internal/terminal"
)

type doctorCmd struct {
	Region   string `help:"Check an AWS account in this region instead of this machine, and compute what the stack costs." placeholder:"REGION"`
	Stack    string `help:"Name of the stack to deploy to AWS." default:"streamproof" placeholder:"NAME"`
	StateDir string `help:"State directory of the local stack (default: .streamproof in the project's directory)." placeholder:"DIR"`
	settings `embed:""`
	JSON     bool `help:"Print JSON, for scripts." name:"json"`
}

type diagnosis struct {
	Result doctor.Result  `json:"result"`
	Checks []doctor.Check `json:"checks"`
	Cost   *cost          `json:"cost,omitempty"`
}

// cost is in US dollars.
type cost struct {
	PricesOf    string       `json:"pricesOf"`
	PricesRead  string       `json:"pricesRead"`
	Day         float64      `json:"day"`
	Month       float64      `json:"month"` // 30 days
	PausedDay   float64      `json:"pausedDay"`
	PausedMonth float64      `json:"pausedMonth"`
	Parts       []price.Item `json:"parts"` // for 30 days
}

func (c *doctorCmd) Run(ctx context.Context, e *env) error {
	root, err := e.root()
	if err != nil {
		return err
	}
	if err := sam.CheckParameters(root, c.Set); err != nil {
		return &usageError{err}
	}
	var d diagnosis
	if c.Region == "" {
		if d.Checks, err = c.machine(ctx, e, root); err != nil {
			return err
		}
	} else if d.Checks, d.Cost, err = c.account(ctx, e, root); err != nil {
		return err
	}
	d.Result = doctor.Worst(d.Checks)
	err = e.show(c.JSON, d, diagnosisText(&d))
	if err == nil && d.Result == doctor.Fault {
		return verdict(exitUsage)
	}
	return err
}

func (c *doctorCmd) machine(ctx context.Context, e *env, root string) ([]doctor.Check, error) {
	dir, err := e.stateDir(c.StateDir)
	if err != nil {
		return nil, err
	}
	return doctor.Machine{
		Root:  root,
		Port:  local.DefaultPort,
		Tools: local.CheckTools,
		Running: func(ctx context.Context) (string, bool) {
			s, err := local.Open(ctx, dir)
			if err != nil {
				return "", false
			}
			return s.Endpoint(), true
		},
		PortFree: func(port int) error {
			_, err := emulator.FreePort(port)
			return err
		},
	}.Checks(ctx), nil
}

func (c *doctorCmd) account(ctx context.Context, e *env, root string) ([]doctor.Check, *cost, error) {
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		return nil, nil, err
	}
	s, err := price.FromTemplate(template, c.Set)
	if err != nil {
		return nil, nil, &usageError{err}
	}
	config, err := e.loadAWS(ctx, c.Region)
	if err != nil {
		return nil, nil, &usageError{fmt.Errorf("read the AWS configuration: %w", err)}
	}
	if config.Credentials == nil {
		return nil, nil, &usageError{errors.New("the AWS configuration has no credentials: sign in, or set AWS_PROFILE")}
	}
	checks := doctor.Account{
		Region: c.Region,
		Needs: doctor.Needs{
			Stack: c.Stack, OnDemand: s.OnDemand, Shards: s.Shards, Parallelism: s.Parallelism, Transformed: s.Transformed,
			ExistingBucket: c.Set["ExistingBucket"],
		},
		Clients: doctor.NewClients(config),
	}.Checks(ctx)
	items := s.Items()
	running, paused := price.Total(items)
	const days = 30
	return checks, &cost{price.Region, price.Read, running / days, running, paused / days, paused, items}, nil
}

func diagnosisText(d *diagnosis) terminal.Text {
	var b terminal.Builder
	for _, c := range d.Checks {
		b.Addf("%-8s %s: %s\n", string(c.Result), c.Name, c.Found)
		for _, more := range []string{c.Means, c.Do} {
			if more != "" {
				b.Addf("%-8s   %s\n", "", more)
			}
		}
	}
	if d.Cost != nil {
		b.Addf("\nUS dollars for 30 days, at the prices of %s read on %s:\n", d.Cost.PricesOf, d.Cost.PricesRead)
		w := terminal.NewTable()
		w.Header("part", "running", "paused")
		for _, item := range d.Cost.Parts {
			w.Row(item.Part, fmt.Sprintf("%8.2f", item.Running), fmt.Sprintf("%8.2f", item.Paused))
		}
		w.Separator()
		w.Row("30 days", fmt.Sprintf("%8.2f", d.Cost.Month), fmt.Sprintf("%8.2f", d.Cost.PausedMonth))
		w.Row("a day", fmt.Sprintf("%8.2f", d.Cost.Day), fmt.Sprintf("%8.2f", d.Cost.PausedDay))
		b.Add(w.Text())
		b.Addf("\nStorage, data transfer, taxes and free tiers are left out: docs/operations/cost.md.\n")
	}
	b.Addf("\n%s", map[doctor.Result]string{
		doctor.OK:      "All is well.",
		doctor.Warning: "It may work: see the warnings.",
		doctor.Fault:   "It will not work: see the faults.",
	}[d.Result])
	return b.Text()
}
