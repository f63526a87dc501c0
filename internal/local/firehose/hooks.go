package firehose

import "context"

// Hooks are the faults of a server, each of which may be nil. They are called by many goroutines at once.
type Hooks struct {
	// Call may refuse a whole call, of which nothing is then taken.
	Call func(stream string) *Error
	// Entry may refuse an entry of a batch, by its index: the code, as ServiceUnavailableException, or "".
	Entry func(stream string, entry int) (code string)
	// Answer tells whether the answer to a call is lost, after its records were taken.
	Answer func(stream string) (lose bool)
	// Invoke may fail an attempt to transform, from 1, before the function is called: with an *Error of Lambda's, as
	// TooManyRequestsException, or any other error for one of the function.
	Invoke func(stream string, attempt int, event []byte) error
	// Write is called in the place of put, for each object in a goroutine of its own, so that one that waits is
	// overtaken. put writes the object that it is given, and tries until it is written or the server is ended by force.
	// An object that is not put is lost, and one whose key or body is changed is written so; with an error, Close tells of
	// its records as not written. The context ends when Close begins, which waits for Write: that is when to let go of what
	// is held back.
	Write func(ctx context.Context, o Object, put func(Object) error) error
}

// SetHooks replaces all hooks. It may be called at any time.
func (s *Server) SetHooks(h Hooks) { s.hooks.Store(&h) }

// An Object is one that is written to S3.
type Object struct {
	Stream string
	Bucket string
	Key    string
	Body   []byte // as it is stored: compressed, where the stream says so
	Failed bool   // holds records that could not be transformed

	by       *definition
	encoding string // Content-Encoding
	records  int
}
