package cli

import (
	"slices"
	"testing"
)

func TestDeployments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		deploy string
		flags  []string
		want   []string
	}{
		{"make build && bin/streamproof up", []string{"--state-dir", ""}, []string{"bin/streamproof pause", "make build && bin/streamproof up", "bin/streamproof resume"}},
		{
			"make build && bin/streamproof up", []string{"--state-dir", "/a b/it's"},
			[]string{`bin/streamproof pause --state-dir '/a b/it'\''s'`, `make build && bin/streamproof up --state-dir '/a b/it'\''s'`, `bin/streamproof resume --state-dir '/a b/it'\''s'`},
		},
		{"make deploy", []string{"--stack", "s-1", "--region", "eu-west-1"}, []string{"bin/streamproof pause --stack s-1 --region eu-west-1", "make deploy", "bin/streamproof resume --stack s-1 --region eu-west-1"}},
	} {
		if got := deployments(test.deploy, test.flags...); !slices.Equal(got, test.want) {
			t.Errorf("%s %q: got %q, want %q", test.deploy, test.flags, got, test.want)
		}
	}
}
