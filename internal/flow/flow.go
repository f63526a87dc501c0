package flow

import (
	"time"

	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// Limits of a shard: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	ShardRecords = 1000    // a second
	ShardBytes   = 1 << 20 // a second
)

// A Flow is a stack at one moment. Rates are per second; what is not known is nil.
type Flow struct {
	At time.Time `json:"at"`
	// Connected reports whether the stack answered. If not, Error says why, and the rest is what was known before.
	Connected bool   `json:"connected"`
	Error     string `json:"error,omitempty"`
	Stack     string `json:"stack"`
	Region    string `json:"region"`
	State     string `json:"state"` // CloudFormation's
	Local     bool   `json:"local"`
	// Audits is where the rows of the pipeline are that the stack only watches, empty for every other stack.
	Audits string `json:"audits,omitempty"`
	// EverySeconds is how often the stack is looked at.
	EverySeconds float64 `json:"everySeconds"`
	// RateSeconds is the time that rates are averages over.
	RateSeconds float64 `json:"rateSeconds"`

	// Tone is good, wrong or open: the verdict, made worse by problems. Sentence says it.
	Tone     string   `json:"tone"`
	Sentence string   `json:"sentence"`
	Verdict  *Verdict `json:"verdict"` // nil before the first
	// Problems are what is wrong and what to do, the worst first.
	Problems []Problem `json:"problems"`

	Arrows    []Arrow    `json:"arrows"`
	Producer  *Producer  `json:"producer"` // nil if somebody else produces
	Stream    Stream     `json:"stream"`
	Analytics *Analytics `json:"analytics"` // nil for a stack that only watches
	Delivery  *Delivery  `json:"delivery"`  // the same
	Bucket    Bucket     `json:"bucket"`
}

// A Verdict is the last report, in short.
type Verdict struct {
	Verdict  proof.Verdict `json:"verdict"`
	JudgedAt time.Time     `json:"judgedAt"`
	Sentence string        `json:"sentence"`
	LastLine string        `json:"lastLine"`
	Key      string        `json:"key,omitempty"` // of the report
	Counts   proof.Counts  `json:"counts"`
	Reasons  []string      `json:"reasons,omitempty"`
	Next     []report.Step `json:"next"`
}

// The parts of a stack, in the order in which a record passes them.
const (
	PartProducer  = "producer"
	PartStream    = "stream"
	PartAnalytics = "analytics"
	PartDelivery  = "delivery"
	PartBucket    = "bucket"
	PartProof     = "proof"
)

// A Problem is something that a person should know, and do something about if it is wrong or open.
type Problem struct {
	ID       string   `json:"id"`       // stable, for translations
	Severity string   `json:"severity"` // wrong, open or note
	Part     string   `json:"part"`
	Text     string   `json:"text"`
	Commands []string `json:"commands,omitempty"`
	See      string   `json:"see,omitempty"` // a page of the repository
}

// The severities. Wrong and Open are tones, too.
const (
	Wrong = "wrong"
	Open  = "open"
	Note  = "note"
	Good  = "good"
)

// An Arrow is what goes from one part to the next.
type Arrow struct {
	ID      string   `json:"id"` // produced, read, rows or delivered
	From    string   `json:"from"`
	To      string   `json:"to"`
	Records *float64 `json:"recordsPerSecond"`
	Bytes   *float64 `json:"bytesPerSecond"`
	Source  string   `json:"source"` // where the rates are from
}

// A Producer is what puts records into the stream.
type Producer struct {
	Function      string    `json:"function"`
	Schedule      string    `json:"schedule"`
	Expression    string    `json:"expression"`
	ScheduleState string    `json:"scheduleState"`
	PartitionKey  string    `json:"partitionKey"` // the stack's, which a tick by hand can replace
	Ticks         int       `json:"ticks"`        // since
	Since         time.Time `json:"since"`
	LastTick      *Tick     `json:"lastTick"`
}

// A Tick is one of the ledger's.
type Tick struct {
	Tick    time.Time `json:"tick"`
	State   string    `json:"state"`
	Records int       `json:"records"`
}

// A Stream is the source stream.
type Stream struct {
	Name         string  `json:"name"`
	Status       string  `json:"status"`
	LimitRecords int     `json:"limitRecordsPerSecond"` // of each shard
	LimitBytes   int     `json:"limitBytesPerSecond"`
	Shards       []Shard `json:"shards"`
}

// A Shard is one shard of the stream.
type Shard struct {
	Shard          string   `json:"shard"`
	RecordsASecond *float64 `json:"recordsPerSecond"`
	BytesASecond   *float64 `json:"bytesPerSecond"`
	// Records are what the shard has acknowledged, by the last report.
	Records *int64 `json:"records"`
}

// An Analytics is the Flink application.
type Analytics struct {
	Application string   `json:"application"`
	Status      string   `json:"status"`
	Version     int64    `json:"version"`
	Job         string   `json:"job,omitempty"` // the runner's state, of a local stack
	Restarts    *float64 `json:"restarts"`
	Uptime      *float64 `json:"uptimeSeconds"`
	Lag         *float64 `json:"lagSeconds"` // of the shard that is furthest behind
	// CheckpointAge is how long ago the last checkpoint was completed, Checkpoint how long it took.
	CheckpointAge     *float64 `json:"checkpointAgeSeconds"`
	Checkpoint        *float64 `json:"checkpointSeconds"`
	FailedCheckpoints *float64 `json:"failedCheckpoints"`
	// Page is Flink's own web page, of a local stack.
	Page        string     `json:"page,omitempty"`
	LastError   string     `json:"lastError,omitempty"`
	LastErrorAt *time.Time `json:"lastErrorAt,omitempty"`
	// Pipeline is the hash of the query that runs since Since, set By: ledger.ByDeploy or ledger.BySQLRun.
	Pipeline string    `json:"pipeline,omitempty"`
	By       string    `json:"by,omitempty"`
	Since    time.Time `json:"since,omitzero"`
}

// A Delivery is the Firehose delivery stream.
type Delivery struct {
	DeliveryStream string   `json:"deliveryStream"`
	Oldest         *float64 `json:"oldestSeconds"` // age of the oldest record that is not in S3
	// Waiting is what the delivery stream of a local stack holds. Firehose does not say it.
	Waiting *Waiting `json:"waiting"`
	Success *float64 `json:"success"` // the part of objects that was written at the first attempt, 0 to 1
	// The parameters.
	BufferSizeMB    string   `json:"bufferSizeMB"`
	BufferInterval  string   `json:"bufferIntervalSeconds"`
	Compression     string   `json:"compression"`
	Transform       string   `json:"transform"`
	OutputFormat    string   `json:"outputFormat"`
	DeadlineSeconds int      `json:"deadlineSeconds"`
	FailedPrefix    string   `json:"failedPrefix"`
	RejectsPrefix   string   `json:"rejectsPrefix"`
	Throttled       *float64 `json:"throttledRecordsPerSecond"`
}

// A Waiting is what is in the buffers of a delivery stream, or being written from them.
type Waiting struct {
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
	// Part is how much of BufferSizeMB that is, 0 to 1.
	Part float64 `json:"part"`
}

// A Bucket is where the rows are delivered.
type Bucket struct {
	Bucket string `json:"bucket"`
	Prefix string `json:"prefix"`
	// Objects and Bytes are those written since Since. Errors are the same for the error prefixes.
	Since   time.Time `json:"since,omitzero"`
	Objects *int64    `json:"objects"`
	Bytes   *int64    `json:"bytes"`
	Errors  []Errors  `json:"errors"`
}

// Errors are the objects under an error prefix.
type Errors struct {
	Prefix  string `json:"prefix"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}
