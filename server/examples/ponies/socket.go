package ponies

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/remuda-go/remuda/web"
)

// statusEnded is the close code of a session that is over, from the range for
// applications (RFC 6455 section 7.4.2), named after the status 401. The reason
// of the close frame is the session's.
const statusEnded websocket.StatusCode = 4401

// endedMessage says why a session is over.
type endedMessage struct {
	Type   string `json:"type,omitempty"` // WebSocket: "ended"
	Reason string `json:"reason"`
}

// ponyMessage is a pony that has joined or was sold.
type ponyMessage struct {
	Type string `json:"type"` // "pony" or "sold"
	Pony pony   `json:"pony"`
}

// live streams the same over a WebSocket. What a client sends is not read: to
// send something is a mistake and ends the connection.
func (st *streams) live(w http.ResponseWriter, r *http.Request) {
	s := st.open(w, r)
	if s == nil {
		return
	}
	defer s.close()
	if !st.ours(r, s.session) {
		st.web.WriteProblem(w, r, &web.Problem{Code: web.CodeCSRFFailed, Detail: "The origin is not one that is allowed here."})
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // ours has been stricter
	})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }() // it is closed already, or the client is gone
	ctx := context.WithoutCancel(r.Context())
	// The end of the session must not cut the connection before it was told why.
	gone := conn.CloseRead(ctx)
	st.run(s, gone.Done(), &socket{ctx: ctx, conn: conn})
}

// socket is the client's end of a WebSocket.
type socket struct {
	ctx  context.Context
	conn *websocket.Conn
}

func (s *socket) send(v any) error {
	ctx, cancel := context.WithTimeout(s.ctx, sendTimeout)
	defer cancel()
	return wsjson.Write(ctx, s.conn, v)
}

func (s *socket) heard(n news) error {
	m := ponyMessage{Type: "pony", Pony: n.pony}
	if n.sold {
		m.Type = "sold"
	}
	return s.send(m)
}

// alive waits for the answer to a ping.
func (s *socket) alive() error {
	ctx, cancel := context.WithTimeout(s.ctx, sendTimeout)
	defer cancel()
	return s.conn.Ping(ctx)
}

func (s *socket) ended(reason string) {
	if s.send(endedMessage{Type: "ended", Reason: reason}) == nil {
		_ = s.conn.Close(statusEnded, reason) // nobody is left to tell
	}
}

func (s *socket) leave() {
	_ = s.conn.Close(websocket.StatusGoingAway, "come back") // likewise
}
