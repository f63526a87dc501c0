// Package environment reads a function's settings from its environment variables and names every fault in them at once.
package environment

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Faults are what is wrong with the variables.
type Faults struct {
	all    []error
	unread map[string]bool // variables without a value to check
}

// Parse reads the variables into a struct with env tags.
func Parse[T any](variables map[string]string) (T, *Faults) {
	c, err := env.ParseAsWithOptions[T](env.Options{Environment: variables})
	f := &Faults{unread: map[string]bool{}}
	var all env.AggregateError
	if !errors.As(err, &all) {
		if err != nil {
			f.all = append(f.all, err)
		}
		return c, f
	}
	for _, fault := range all.Errors {
		var unset env.VarIsNotSetError
		var empty env.EmptyVarError
		var unparsed env.ParseError
		switch {
		case errors.As(fault, &unset):
			f.unread[unset.Key] = true
		case errors.As(fault, &empty):
			f.unread[empty.Key] = true
		case errors.As(fault, &unparsed):
			// The library names the field; the reader of the error needs the variable.
			field, _ := reflect.TypeFor[T]().FieldByName(unparsed.Name)
			name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
			f.unread[name] = true
			fault = fmt.Errorf("%s: %w", name, unparsed.Err)
		}
		f.all = append(f.all, fault)
	}
	return c, f
}

// Read reports whether these variables could all be read, so that their values can be checked.
func (f *Faults) Read(variables ...string) bool {
	for _, name := range variables {
		if f.unread[name] {
			return false
		}
	}
	return true
}

// Add adds a fault, unless it is nil.
func (f *Faults) Add(fault error) {
	if fault != nil {
		f.all = append(f.all, fault)
	}
}

// Err returns one error that names every fault in the environment of a function, or nil.
func (f *Faults) Err(function string) error {
	if err := errors.Join(f.all...); err != nil {
		return fmt.Errorf("environment of the %s: %w", function, err)
	}
	return nil
}
