package row

// AppendAnyJSON is AppendFields of a line of JSON, without what makes it fast.
func (s Schema) AppendAnyJSON(dst []byte, fields []Field, line []byte) ([]byte, error) {
	key, err := s.appendAnyJSON(dst, fields, line)
	if err != nil {
		return dst, err
	}
	return key, nil
}

// IsOrdered reports whether a line of JSON is read the fast way.
func (s Schema) IsOrdered(line []byte) bool {
	_, ok := s.appendOrdered(nil, nil, line)
	return ok
}
