package dialect

import "strings"

// Rename returns a query with other names for columns: for each key of names, its value. It renames every name that is
// spelled so, whatever it stands for. The caller finds out whether the result is still the same query.
func Rename(text string, names map[string]string) (string, error) {
	script, err := Parse(text)
	if err != nil {
		return "", err
	}
	tokens, _ := lex(text) // Parse has seen that they have no faults
	var b strings.Builder
	done := 0
	for i, t := range tokens {
		old := t.value
		switch t.kind {
		case tokenWord:
			if script.Dialect == Legacy {
				old = strings.ToUpper(old)
			}
			if i+1 < len(tokens) && tokens[i+1].is("(") { // a function
				continue
			}
		case tokenQuoted, tokenBacktick:
		default:
			continue
		}
		name, renamed := names[old]
		if !renamed {
			continue
		}
		b.WriteString(text[done:t.pos.Offset])
		b.WriteString(spelled(name, t.kind, script.Dialect))
		done = t.endOffset()
	}
	b.WriteString(text[done:])
	return b.String(), nil
}

// spelled is a name in place of a token, in quotes if that has some or the name needs them.
func spelled(name string, like tokenKind, in Dialect) string {
	plain := quote(name) == name && (in == Flink || strings.ToUpper(name) == name)
	switch {
	case like == tokenWord && plain:
		return name
	case in == Flink:
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	default:
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
}
