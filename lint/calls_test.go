//go:build lint

package lint

import (
	"go/types"
	"path"
	"strings"
	"testing"

	"golang.org/x/tools/go/callgraph"
	"golang.org/x/tools/go/callgraph/rta"
	"golang.org/x/tools/go/callgraph/vta"
	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/ssa/ssautil"
)

const services = "github.com/aws/aws-sdk-go-v2/service/"

// calls finds the AWS operations that each function of functions/ can make, as "s3:GetObject", and from where: all
// calls of a service's client that can be reached from its main, through interfaces and function values too.
func calls(t *testing.T) map[string]map[string]string {
	t.Helper()
	loaded, err := packages.Load(&packages.Config{Mode: packages.LoadAllSyntax, Dir: ".."}, "./functions/...")
	if err != nil {
		t.Fatal(err)
	}
	if packages.PrintErrors(loaded) > 0 {
		t.Fatal("the functions do not compile")
	}
	program, mains := ssautil.AllPackages(loaded, ssa.InstantiateGenerics)
	program.Build()
	byFunction := map[string]map[string]string{}
	for _, pkg := range mains {
		byFunction[path.Base(pkg.Pkg.Path())] = reached(pkg)
	}
	return byFunction
}

func reached(pkg *ssa.Package) map[string]string {
	// What the rapid analysis reaches is far too much, since anything may be called by reflection; it bounds what the type
	// analysis, which follows each value, has to look at.
	rough := rta.Analyze([]*ssa.Function{pkg.Func("main"), pkg.Func("init")}, true)
	functions := map[*ssa.Function]bool{}
	for f := range rough.Reachable {
		functions[f] = true
	}
	graph := vta.CallGraph(functions, rough.CallGraph)

	operations := map[string]string{}
	seen := map[*callgraph.Node]bool{}
	var visit func(*callgraph.Node)
	visit = func(n *callgraph.Node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for _, edge := range n.Out {
			operation, ok := operation(edge.Callee.Func)
			if !ok {
				visit(edge.Callee)
			} else if from := n.Func.String(); !credentials(from) {
				operations[operation] = from
			}
		}
	}
	visit(graph.Nodes[pkg.Func("main")])
	// Lambda's runtime calls its handler by reflection, which no analysis sees: main hands it over.
	for f := range functions {
		if f.Pkg != pkg {
			continue
		}
		for _, block := range f.Blocks {
			for _, instruction := range block.Instrs {
				for _, operand := range instruction.Operands(nil) {
					if handler, ok := (*operand).(*ssa.Function); ok {
						visit(graph.Nodes[handler])
					}
				}
			}
		}
	}
	return operations
}

// operation gives the name of the operation that a method of a service's client is: it takes a context, the operation's
// input, and options.
func operation(f *ssa.Function) (string, bool) {
	receiver := f.Signature.Recv()
	if receiver == nil || f.Signature.Params().Len() != 3 {
		return "", false
	}
	client, ok := receiver.Type().(*types.Pointer)
	if !ok {
		return "", false
	}
	service, ok := strings.CutPrefix(strings.TrimSuffix(client.Elem().String(), ".Client"), services)
	if !ok || !strings.HasSuffix(client.Elem().String(), ".Client") || !strings.HasSuffix(f.Signature.Params().At(1).Type().String(), "."+f.Name()+"Input") {
		return "", false
	}
	return service + ":" + f.Name(), true
}

// credentials reports whether a function of the SDK calls for credentials, which Lambda gives a function in its
// environment, or for a session of S3 Express, whose buckets are none of ours.
func credentials(function string) bool {
	return strings.Contains(function, "aws-sdk-go-v2/credentials/") || strings.Contains(function, "s3.defaultS3ExpressCredentialsProvider")
}
