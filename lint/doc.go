// Package lint checks the template more closely than a linter that reads it alone: as CloudFormation gets it, for each
// sample of parameters, and its roles against the calls that the code makes. Its tests are run by `make lint`, which
// installs what they need; they have the build tag lint. docs/decisions says which check catches what.
package lint
