package stream

import (
	"errors"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A fate is what one attempt did to one record.
type fate int

const (
	// maybeStored: the stream may hold a copy of this attempt, or not. To be sent again.
	maybeStored fate = iota
	// acknowledged: the stream holds exactly one copy of this attempt.
	acknowledged
	// refused: the stream holds no copy of this attempt. To be sent again.
	refused
	// throttled is refused because a shard, or the account, has had enough for now.
	throttled
	// denied is refused in a way that every other attempt would be, too.
	denied
)

// errShortAnswer is an answer with another number of entries than the request had.
var errShortAnswer = errors.New("kinesis answered with another number of entries than were sent")

// classify says what an attempt did: to all its records where the call failed (err is set), else to that of one entry
// of the answer. Whatever is not known for certain to have been refused may have been stored.
func classify(err error, entry *types.PutRecordsResultEntry) fate {
	if err == nil {
		switch {
		case entry.ErrorCode == nil && aws.ToString(entry.SequenceNumber) != "":
			// A sequence number is Kinesis' word that the record is stored.
			return acknowledged
		case aws.ToString(entry.ErrorCode) == codeThrottled:
			// The shard's limit is checked before anything is written.
			return throttled
		default:
			// InternalFailure: it failed somewhere, perhaps after the write. And what is neither of the two codes
			// that Kinesis documents, nor a sequence number, says nothing.
			return maybeStored
		}
	}

	var invalid smithy.InvalidParamsError
	var unserializable *smithy.SerializationError
	if errors.As(err, &invalid) || errors.As(err, &unserializable) {
		// The SDK itself found the request wanting, and would again: nothing was sent.
		return denied
	}

	status := 0
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode() // 0 where the SDK has an error but no response
	}
	code, fault := "", smithy.FaultUnknown
	var api smithy.APIError
	if errors.As(err, &api) {
		code, fault = api.ErrorCode(), api.ErrorFault()
	}
	_, throttles := retry.DefaultThrottleErrorCodes[code]
	switch {
	case status >= 500, status == http.StatusRequestTimeout, fault == smithy.FaultServer:
		// It failed somewhere in the service, perhaps after the write.
		return maybeStored
	case throttles, code == codeKeyThrottled, status == http.StatusTooManyRequests:
		// The whole call was turned away at the door.
		return throttled
	case status >= 400, fault == smithy.FaultClient:
		// Validation, permissions, no such stream: checked before anything is written, and the same next time.
		return denied
	case status != 0:
		// 2xx with a body that cannot be read: stored for the most part, but which entries nobody knows.
		// 3xx: not from Kinesis, and who knows what stands before it did with the request.
		return maybeStored
	}

	var dial *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &name), errors.As(err, &dial) && dial.Op == "dial":
		// No address or no connection: net/http writes a request only to a connection that it has. The SDK does not
		// return these where the context ended meanwhile; that counts as below.
		return refused
	default:
		// A time-out, a reset, an EOF, a call that was canceled while it ran: the request may have arrived and its
		// answer been lost. So may anything that is not listed above.
		return maybeStored
	}
}

const (
	codeThrottled    = "ProvisionedThroughputExceededException"
	codeKeyThrottled = "KMSThrottlingException"
)
