package refusals

import (
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	"github.com/remuda-go/remuda/web"
)

// Entry is a request that was refused. It marshals as it is kept, and shown.
type Entry struct {
	RequestID string    `json:"request_id"`
	Time      time.Time `json:"time"`
	Code      string    `json:"code"`
	Status    int       `json:"status"`
	Action    string    `json:"action"`
	Method    string    `json:"method"`
	Path      string    `json:"path"` // as the log shows it
	Steps     []Step    `json:"steps"`
}

// Step is one thing that was looked at.
type Step struct {
	Reason string         `json:"reason"`
	Facts  map[string]any `json:"facts,omitempty"` // texts, numbers and booleans
}

// NewEntry is the entry of a refusal. Method and path are as the log shows them.
func NewEntry(f *web.Refusal, method, path string) Entry {
	e := Entry{
		RequestID: f.RequestID, Time: f.Time.UTC().Truncate(time.Millisecond),
		Code: string(f.Code), Status: f.Status, Action: string(f.Action), Method: method, Path: path,
	}
	for _, s := range f.Steps {
		step := Step{Reason: string(s.Reason)}
		for _, fact := range s.Facts {
			if step.Facts == nil {
				step.Facts = map[string]any{}
			}
			step.Facts[fact.Key] = plain(fact.Value)
		}
		e.Steps = append(e.Steps, step)
	}
	return e
}

// plain is a fact as JSON has it.
func plain(v slog.Value) any {
	switch v.Kind() {
	case slog.KindDuration:
		return v.Duration().String()
	case slog.KindTime:
		return v.Time().UTC().Format(time.RFC3339Nano)
	case slog.KindInt64:
		return v.Int64()
	case slog.KindBool:
		return v.Bool()
	default:
		return v.String()
	}
}

// encode is an entry as it stands in the file.
func (e *Entry) encode() ([]byte, error) { return json.Marshal(e) }

// of reports whether an entry is about a subject.
func (e *Entry) of(subject string) bool {
	return slices.ContainsFunc(e.Steps, func(s Step) bool { return s.Facts["subject"] == subject })
}
