package verifier

import (
	"fmt"

	"github.com/caarlos0/env/v11"
)

// Config is the function's environment.
type Config struct {
	Bucket                  string `env:"BUCKET,required,notEmpty"`
	DataPrefix              string `env:"DATA_PREFIX,required,notEmpty"`
	ErrorsPrefix            string `env:"ERRORS_PREFIX,required,notEmpty"`
	DeliveryDeadlineSeconds int    `env:"DELIVERY_DEADLINE_SECONDS,required"`
	DuplicatesAllowed       int64  `env:"DUPLICATES_ALLOWED" envDefault:"0"`
	// ExpireAfterDays is after how many days the bucket's lifecycle deletes rows and ticks that have SettledTag: at least
	// 2, or 0 for never. If it is above 0, the verifier keeps the archive and tags what that has counted.
	ExpireAfterDays int `env:"EXPIRE_AFTER_DAYS" envDefault:"0"`
	// What a row may wait for on its way, in seconds; the deadline has to be longer.
	PackDelaySeconds          int `env:"PACK_DELAY_SECONDS" envDefault:"0"`
	CheckpointIntervalSeconds int `env:"CHECKPOINT_INTERVAL_SECONDS" envDefault:"0"`
	BufferIntervalSeconds     int `env:"BUFFER_INTERVAL_SECONDS" envDefault:"0"`
	// Buffers is how many of Firehose's buffers a row goes through: two where there is a transform.
	Buffers int `env:"BUFFERS" envDefault:"1"`
	// StackName is the dimension of the metrics.
	StackName string `env:"STACK_NAME,required,notEmpty"`
	// StreamName is the stream that is read back for rows that are missing.
	StreamName string `env:"STREAM_NAME,required,notEmpty"`
}

// ReadConfig reads the environment; the error names every fault in it.
func ReadConfig() (Config, error) {
	c, err := env.ParseAs[Config]()
	if err != nil {
		return c, fmt.Errorf("environment of the verifier: %w", err)
	}
	if c.DeliveryDeadlineSeconds <= 0 {
		return c, fmt.Errorf("environment of the verifier: DELIVERY_DEADLINE_SECONDS is %d and has to be above 0", c.DeliveryDeadlineSeconds)
	}
	if need := c.longestWay(); c.DeliveryDeadlineSeconds < need {
		return c, fmt.Errorf("environment of the verifier: DELIVERY_DEADLINE_SECONDS is %d, and a row may take %d: %d x BUFFER_INTERVAL_SECONDS %d + PACK_DELAY_SECONDS %d + CHECKPOINT_INTERVAL_SECONDS %d + %d for a restart; raise the deadline or lower one of these",
			c.DeliveryDeadlineSeconds, need, c.Buffers, c.BufferIntervalSeconds, c.PackDelaySeconds, c.CheckpointIntervalSeconds, restartSeconds)
	}
	if c.ExpireAfterDays < 0 || c.ExpireAfterDays == 1 {
		return c, fmt.Errorf("environment of the verifier: EXPIRE_AFTER_DAYS is %d and has to be 0, for never, or at least 2: a verification looks back %s", c.ExpireAfterDays, window)
	}
	if c.DuplicatesAllowed < 0 {
		return c, fmt.Errorf("environment of the verifier: DUPLICATES_ALLOWED is %d and cannot be below 0", c.DuplicatesAllowed)
	}
	return c, nil
}

// restartSeconds is what a restart of the application takes at the least; on AWS some 3 minutes are more like it.
const restartSeconds = 20

// longestWay is how many seconds a row may take where nothing is lost: it waits to be packed and in Firehose's buffers, and
// a restart goes back to the last checkpoint.
func (c Config) longestWay() int {
	return c.Buffers*c.BufferIntervalSeconds + c.PackDelaySeconds + c.CheckpointIntervalSeconds + restartSeconds
}
