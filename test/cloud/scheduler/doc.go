// Package scheduler is a local EventBridge Scheduler: schedule groups, and
// schedules that call a Lambda function when a movable clock reaches their
// time.
//
// See https://docs.aws.amazon.com/scheduler/latest/APIReference/.
package scheduler
