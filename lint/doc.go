// Package lint checks the template more closely than a linter can: as CloudFormation gets it, with each set of
// parameters, and its roles against the calls that the code makes. Its tests have the build tag lint; `make lint`
// installs what they need and runs them. docs/decisions says which check catches what.
package lint
