package discover

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"streamproof/internal/schema"
)

const (
	// deepest is the maximum number of names in a path. Deeper values become JSON text.
	deepest = 16
	// mostMembers is the maximum number of distinct members of an object. An object with more uses data as names, and
	// becomes JSON text.
	mostMembers = 200
)

// A member is a path in the rows, with the members below it.
type member struct {
	names   []string
	members map[string]*member
	order   []*member
	plain   *collector // of the values of a column
	objects int        // how many values are objects with members
	empty   int        // how many are objects without
	others  int        // how many are neither an object nor null
}

func (m *member) child(name string) *member {
	if c := m.members[name]; c != nil {
		return c
	}
	if m.members == nil {
		m.members = map[string]*member{}
	}
	c := &member{names: append(m.names[:len(m.names):len(m.names)], name)}
	m.members[name] = c
	m.order = append(m.order, c)
	return c
}

func (d *discovery) json() {
	d.Format = schema.JSONFormat()
	root := &member{}
	for _, o := range d.objects {
		root.learn(o.value)
	}
	var columns []*member
	root.columns(&columns)
	for i, o := range d.objects {
		values := map[*member]*string{}
		root.collect(o.value, func(m *member, text string, kind kind) {
			if kind == isNull {
				m.plain.null("null")
				return
			}
			m.plain.add(text, kind)
			values[m] = &text
		})
		if i < firstRows {
			var row []*string
			for _, m := range columns {
				row = append(row, values[m])
			}
			d.Rows = append(d.Rows, row)
		}
	}
	d.countRows(len(d.objects), func(i int) int { return d.objects[i].number })
	names := newNames(len(columns))
	for i, m := range columns {
		// A member that is missing is NULL.
		m.plain.nulls["missing"] += len(d.objects) - m.plain.total - m.plain.nulls["null"]
		column := m.plain.infer()
		names.give(&column, strings.Join(m.names, "_"), i)
		if path := schema.Path(m.names); len(path) > 1 || path[0] != column.Name {
			column.Path, column.path = path.String(), path
		}
		d.Columns = append(d.Columns, column)
	}
	if len(columns) == 0 {
		d.note("the objects have no members")
	}
}

func (m *member) learn(value jsontext.Value) {
	eachMember(value, func(name string, value jsontext.Value) {
		c := m.child(name)
		switch kind := value.Kind(); {
		case kind == 'n':
		case kind != '{' || len(c.names) == deepest:
			c.others++
		case hasMembers(value):
			c.objects++
			c.learn(value)
		default:
			c.empty++
		}
	})
}

// columns appends the members that become columns.
func (m *member) columns(into *[]*member) {
	for _, c := range m.order {
		// A member that is sometimes an object and sometimes a value is one column.
		if len(c.order) > mostMembers || !rare(c.others, c.others+c.objects+c.empty) {
			c.members, c.order = nil, nil
		}
		if len(c.order) == 0 {
			c.plain = newCollector(true)
			*into = append(*into, c)
		}
		c.columns(into)
	}
}

// collect calls take for each value of a row.
func (m *member) collect(value jsontext.Value, take func(m *member, text string, kind kind)) {
	eachMember(value, func(name string, value jsontext.Value) {
		c := m.members[name]
		switch kind := value.Kind(); {
		case c.plain == nil && kind == '{':
			c.collect(value, take)
		case c.plain == nil: // null, or a rare value among objects
		case kind == 'n':
			take(c, "", isNull)
		case kind == '"':
			text, _ := jsontext.AppendUnquote(nil, value) // it was checked when it was read
			take(c, string(text), isString)
		case kind == '0':
			take(c, string(value), isJSONNumber)
		case kind == 't' || kind == 'f':
			take(c, string(value), isJSONBoolean)
		default:
			_ = value.Compact() // it was read already
			take(c, string(value), isNested)
		}
	})
}

func eachMember(object jsontext.Value, take func(name string, value jsontext.Value)) {
	decoder := jsontext.NewDecoder(bytes.NewReader(object))
	_, _ = decoder.ReadToken()
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadToken()
		if err != nil {
			return
		}
		key := name.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return
		}
		take(key, value.Clone())
	}
}

func hasMembers(value jsontext.Value) bool {
	return value.Kind() == '{' && len(bytes.TrimSpace(value[1:len(value)-1])) > 0
}
