package sim

import "time"

// accessLife is how long an access token is good, under every rule.
const accessLife = 10 * time.Minute

// rollback is what a failover loses.
const rollback = time.Second

// Status is what a client is told.
type Status uint8

// The statuses.
const (
	StatusOK       Status = iota
	StatusConflict        // 409: somebody else has just refreshed; read the jar again
	StatusLater           // 429 or 503: try again
	StatusOut             // 401: sign in
)

// Request is one refresh as it arrives at a node.
type Request struct {
	Session int
	Node    int
	Token   string
	Key     string // the Idempotency-Key, or empty
	Agent   string // the User-Agent, or empty
}

// Answer is what comes back. An empty Refresh means: keep the one you have.
type Answer struct {
	Status  Status
	Access  string
	Refresh string
	Until   time.Duration // when Access expires
	Reused  bool          // this request ended the session as stolen
}

// Server is a rule of rotation, with what can happen to its nodes.
type Server interface {
	// Start begins the session of that number.
	Start(session int, agent string) Answer
	// Refresh exchanges a refresh token.
	Refresh(req Request) Answer
	// Use presents an access token; relay says that a trusted server does so
	// for a client that may not have received it yet.
	Use(node int, access string, relay bool)
	// Failover loses the last second of writes to a session.
	Failover(session int)
	// Crash restarts a node, which loses what it holds in memory.
	Crash(node int)
	// Close ends the server.
	Close()
}
