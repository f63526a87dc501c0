package verifier

import (
	"cmp"
	"errors"
	"fmt"

	"streamproof/internal/environment"
)

// Config is the function's environment.
type Config struct {
	Bucket     string `env:"BUCKET,required,notEmpty"`
	DataPrefix string `env:"DATA_PREFIX,required,notEmpty"`
	// ErrorsPrefix may be empty in an audit of rows that are not the application's.
	ErrorsPrefix            string `env:"ERRORS_PREFIX,required"`
	DeliveryDeadlineSeconds int    `env:"DELIVERY_DEADLINE_SECONDS,required"`
	DuplicatesAllowed       int64  `env:"DUPLICATES_ALLOWED" envDefault:"0"`
	// ExpireAfterDays is after how many days the bucket's lifecycle deletes rows and ticks that have SettledTag: at least
	// 2, or 0 for never. If it is above 0, the verifier keeps the archive and tags what that has counted.
	ExpireAfterDays int `env:"EXPIRE_AFTER_DAYS" envDefault:"0"`
	// What a row may wait for on its way, in seconds; the deadline has to be longer.
	PackDelaySeconds          int `env:"PACK_DELAY_SECONDS" envDefault:"0"`
	CheckpointIntervalSeconds int `env:"CHECKPOINT_INTERVAL_SECONDS" envDefault:"0"`
	BufferIntervalSeconds     int `env:"BUFFER_INTERVAL_SECONDS" envDefault:"0"`
	// Buffers is how many of Firehose's buffers a row goes through: two if there is a transform.
	Buffers int `env:"BUFFERS" envDefault:"1"`
	// StackName is the dimension of the metrics.
	StackName string `env:"STACK_NAME,required,notEmpty"`
	// StreamName is the stream that is read back for missing rows.
	StreamName string `env:"STREAM_NAME,required,notEmpty"`

	// AuditFrom is since when the records of the stream are owed: FromNow, FromHorizon or a time. If it is empty, the
	// ledger says what is owed.
	AuditFrom string `env:"AUDIT_FROM"`
	// AuditRows is what they owe: RowsRecords, RowsQuery or RowsApplication.
	AuditRows string `env:"AUDIT_ROWS" envDefault:"records"`
	// SourceBucket has the rows that are audited, if that is not Bucket.
	SourceBucket string `env:"SOURCE_BUCKET"`
	// HourlyKeys is whether keys continue after each prefix with yyyy/MM/dd/HH.
	HourlyKeys bool `env:"HOURLY_KEYS" envDefault:"false"`
}

// ReadConfig reads the environment, given as a map. The error names every fault in it.
func ReadConfig(variables map[string]string) (Config, error) {
	c, faults := environment.Parse[Config](variables)
	const deadline = "DELIVERY_DEADLINE_SECONDS"
	switch need := c.longestWay(); {
	case !faults.Read(deadline):
	case c.DeliveryDeadlineSeconds <= 0:
		faults.Add(fmt.Errorf("%s is %d, want more than 0", deadline, c.DeliveryDeadlineSeconds))
	case c.AuditFrom != "" && c.AuditRows != RowsApplication: // what its rows wait for is not known
	case faults.Read("PACK_DELAY_SECONDS", "CHECKPOINT_INTERVAL_SECONDS", "BUFFER_INTERVAL_SECONDS", "BUFFERS") && c.DeliveryDeadlineSeconds < need:
		faults.Add(fmt.Errorf("%s is %d, but a row may take %d: %d x BUFFER_INTERVAL_SECONDS %d + PACK_DELAY_SECONDS %d + "+
			"CHECKPOINT_INTERVAL_SECONDS %d + %d for a restart; raise the deadline or lower one of these", deadline,
			c.DeliveryDeadlineSeconds, need, c.Buffers, c.BufferIntervalSeconds, c.PackDelaySeconds, c.CheckpointIntervalSeconds, restartSeconds))
	}
	if faults.Read("EXPIRE_AFTER_DAYS") && (c.ExpireAfterDays < 0 || c.ExpireAfterDays == 1) {
		faults.Add(fmt.Errorf("EXPIRE_AFTER_DAYS is %d, want 0, for never, or at least 2: a verification looks back %s", c.ExpireAfterDays, window))
	}
	switch {
	case c.AuditFrom != "":
		for _, fault := range c.checkAudit() {
			faults.Add(fault)
		}
	case faults.Read("ERRORS_PREFIX") && c.ErrorsPrefix == "":
		faults.Add(errors.New("ERRORS_PREFIX is empty"))
	}
	c.SourceBucket = cmp.Or(c.SourceBucket, c.Bucket)
	if faults.Read("DUPLICATES_ALLOWED") && c.DuplicatesAllowed < 0 {
		faults.Add(fmt.Errorf("DUPLICATES_ALLOWED is %d, want 0 or more", c.DuplicatesAllowed))
	}
	return c, faults.Err("verifier")
}

// restartSeconds is the shortest restart of the application; on AWS it takes about 3 minutes.
const restartSeconds = 20

// longestWay is how many seconds a row may take if nothing is lost: it waits to be packed and in Firehose's buffers,
// and a restart goes back to the application's last checkpoint.
func (c Config) longestWay() int {
	return c.Buffers*c.BufferIntervalSeconds + c.PackDelaySeconds + c.CheckpointIntervalSeconds + restartSeconds
}
