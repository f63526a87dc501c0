package process_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/local/process"
)

func TestEnviron(t *testing.T) {
	t.Parallel()
	proxies := func(exceptions string) []string {
		return []string{"no_proxy=" + exceptions, "NO_PROXY=" + exceptions, "LC_ALL=C.UTF-8"}
	}
	for name, test := range map[string]struct{ env, want []string }{
		"empty":          {nil, proxies("127.0.0.1,localhost")},
		"proxy":          {[]string{"http_proxy=http://p:1", "A=b=c"}, append([]string{"http_proxy=http://p:1", "A=b=c"}, proxies("127.0.0.1,localhost")...)},
		"exceptions":     {[]string{"NO_PROXY=.corp"}, proxies(".corp,127.0.0.1,localhost")},
		"the same twice": {[]string{"NO_PROXY=.corp", "no_proxy=.corp"}, proxies(".corp,127.0.0.1,localhost")},
		"two lists":      {[]string{"NO_PROXY=a", "no_proxy=b"}, proxies("a,b,127.0.0.1,localhost")},
		"every host":     {[]string{"no_proxy=*"}, proxies("*")},
		"set to nothing": {[]string{"no_proxy="}, proxies("127.0.0.1,localhost")},
		"another locale": {[]string{"LC_ALL=C"}, append([]string{"LC_ALL=C"}, proxies("127.0.0.1,localhost")...)}, // the last one counts
	} {
		if diff := cmp.Diff(test.want, process.Environ(test.env)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}
