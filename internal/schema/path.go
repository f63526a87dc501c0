package schema

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Path is the names that lead from a row to a value: in JSON those of the members, in CSV the one in the header.
type Path []string

const plainName = `[0-9A-Za-z_#%;?^{|}~\x{80}-\x{10FFFF}]+`

var (
	// step is one of a JSONPath: .name, ['name'] or ["name"].
	step   = regexp.MustCompile(`^(?:\.(` + plainName + `)|\[ *'((?s:[^'\\]|\\.)*)' *\]|\[ *"((?s:[^"\\]|\\.)*)" *\])`)
	plain  = regexp.MustCompile(`^` + plainName + `$`)
	escape = regexp.MustCompile(`\\(?:[uU]([0-9A-Fa-f]{4})|(?s:.))`)
)

// escaped are the characters that an escape of one letter stands for.
var escaped = strings.NewReplacer(`\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\'`, "'", `\"`, `"`, `\\`, `\`)

// ParsePath reads a JSONPath (RFC 9535) that leads to one value through the names of members, such as $.user.id or
// $['user id'].
func ParsePath(text string) (Path, error) {
	fail := func(problem string) (Path, error) { return nil, fmt.Errorf("path %q %s", text, problem) }
	rest, ok := strings.CutPrefix(text, "$")
	if !ok || rest == "" {
		return fail("does not lead to one member; write for example $.user.id or $['user id']")
	}
	var path Path
	for rest != "" {
		m := step.FindStringSubmatch(rest)
		if m == nil {
			return fail("does not lead to one member; write for example $.user.id or $['user id']")
		}
		name, bad := m[1], false
		if name == "" {
			name = escape.ReplaceAllStringFunc(m[2]+m[3], func(e string) string {
				if code, err := strconv.ParseUint(e[2:], 16, 16); err == nil && len(e) == 6 {
					bad = bad || code>>11 == 0xD800>>11 // half a character
					return string(rune(code))
				}
				c := escaped.Replace(e)
				bad = bad || c == e
				return c
			})
		}
		if bad {
			return fail("has an escape that not every reader supports; write the character itself")
		}
		path, rest = append(path, name), rest[len(m[0]):]
	}
	return path, nil
}

// String returns the JSONPath, which ParsePath reads as the same names.
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, name := range p {
		if plain.MatchString(name) {
			b.WriteString("." + name)
			continue
		}
		b.WriteString("['")
		for _, c := range name {
			switch {
			case c == '\'' || c == '\\':
				b.WriteString(`\` + string(c))
			case c < ' ':
				fmt.Fprintf(&b, `\u%04x`, c)
			default:
				b.WriteRune(c)
			}
		}
		b.WriteString("']")
	}
	return b.String()
}
