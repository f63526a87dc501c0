package firehose

import "context"

// Hooks inject faults into a server. Each may be nil. They are called by many goroutines at once.
type Hooks struct {
	// Call may refuse a call. None of its records are accepted then.
	Call func(stream string) *Error
	// Entry may refuse an entry of a batch, by its index. It returns a code such as ServiceUnavailableException, or "".
	Entry func(stream string, entry int) (code string)
	// Answer reports whether the answer to a call is lost after its records were accepted.
	Answer func(stream string) (lose bool)
	// Invoke may fail an attempt to transform, counted from 1, before the function is called: with an *Error of Lambda's,
	// such as TooManyRequestsException, or any other error for one of the function.
	Invoke func(stream string, attempt int, event []byte) error
	// Write is called instead of put, in a goroutine for each object, so that one that waits can be overtaken. put writes
	// the object that it is given, and retries until it is written or the server is ended by force. An object that is not
	// put is lost; one whose key or body was changed is written like that. If Write returns an error, Close reports the
	// object's records as not written. The context ends when Close begins; Close waits for Write, which must then release
	// what it holds.
	Write func(ctx context.Context, o Object, put func(Object) error) error
}

// SetHooks replaces all hooks. It may be called at any time.
func (s *Server) SetHooks(h Hooks) { s.hooks.Store(&h) }

// An Object is an object for S3.
type Object struct {
	Stream string
	Bucket string
	Key    string
	Body   []byte // as stored: compressed if the stream asks for it
	Failed bool   // holds records that could not be transformed

	by       *definition
	encoding string // Content-Encoding
	records  int
}
