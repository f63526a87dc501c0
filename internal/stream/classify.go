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
	// maybeStored: the stream may or may not hold a copy of this attempt. Send it again.
	maybeStored fate = iota
	// acknowledged: the stream holds exactly one copy of this attempt.
	acknowledged
	// refused: the stream holds no copy of this attempt. Send it again.
	refused
	// throttled: refused because a shard, or the account, is over its limit.
	throttled
	// denied: refused for a reason that holds for every other attempt.
	denied
)

// errShortAnswer reports an answer that does not have one entry for each of the request's.
var errShortAnswer = errors.New("kinesis answered with a different number of entries than were sent")

// classify decides what an attempt did: to all its records if the call failed (err is set), otherwise to the records of
// one entry of the answer. What was not certainly refused may have been stored.
func classify(err error, entry *types.PutRecordsResultEntry) fate {
	if err == nil {
		switch {
		case entry.ErrorCode == nil && aws.ToString(entry.SequenceNumber) != "":
			// A sequence number confirms that the record is stored.
			return acknowledged
		case aws.ToString(entry.ErrorCode) == codeThrottled:
			// The shard's limit is checked before anything is written.
			return throttled
		default:
			// InternalFailure: it may have failed after the write. An entry with neither of the two documented codes
			// nor a sequence number proves nothing.
			return maybeStored
		}
	}

	var invalid smithy.InvalidParamsError
	var unserializable *smithy.SerializationError
	if errors.As(err, &invalid) || errors.As(err, &unserializable) {
		// The SDK itself rejected the request, and would again: nothing was sent.
		return denied
	}

	status := 0
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode() // 0 if the SDK has an error but no response
	}
	code, fault := "", smithy.FaultUnknown
	var api smithy.APIError
	if errors.As(err, &api) {
		code, fault = api.ErrorCode(), api.ErrorFault()
	}
	_, throttles := retry.DefaultThrottleErrorCodes[code]
	switch {
	case status >= 500, status == http.StatusRequestTimeout, fault == smithy.FaultServer:
		// It failed inside the service, possibly after the write.
		return maybeStored
	case throttles, code == codeKeyThrottled, status == http.StatusTooManyRequests:
		// The call was turned away before any entry was looked at.
		return throttled
	case status >= 400, fault == smithy.FaultClient:
		// Validation, permissions, no such stream: checked before anything is written, with the same result next time.
		return denied
	case status != 0:
		// 2xx with an unreadable body: most entries are stored, but which ones is unknown.
		// 3xx: a proxy answered, and may have passed the request on.
		return maybeStored
	}

	var dial *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &name), errors.As(err, &dial) && dial.Op == "dial":
		// No address or no connection: net/http never wrote the request. If the context ended meanwhile, the SDK
		// returns a different error, which counts as below.
		return refused
	default:
		// A timeout, a reset, an EOF, a call canceled midway: the request may have arrived and its answer been lost.
		// The same goes for anything not listed above.
		return maybeStored
	}
}

const (
	codeThrottled    = "ProvisionedThroughputExceededException"
	codeKeyThrottled = "KMSThrottlingException"
)
