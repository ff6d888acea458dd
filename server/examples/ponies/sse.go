package ponies

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/remuda-go/remuda/server/examples/internal/static"
)

// events streams server-sent events (HTML standard, section 9.2): "pony" for each
// that joins the herd, "sold" for each that leaves it, and at last "ended" with the
// reason.
func (st *streams) events(w http.ResponseWriter, r *http.Request) {
	s := st.open(w, r)
	if s == nil {
		return
	}
	defer s.close()
	h := w.Header()
	static.Protect(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would wait for more
	if r.Method == http.MethodHead {
		return
	}
	to := &sse{w: w, control: http.NewResponseController(w)}
	if to.send("retry: 1000\n\n") == nil {
		st.run(s, nil, to)
	}
}

// sse is the client's end of an event stream.
type sse struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// send writes one event. Each has a deadline of its own, instead of the server's
// for the whole answer.
func (e *sse) send(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}

func (e *sse) event(name string, data any) error {
	text, err := json.Marshal(data) // has no line breaks
	if err != nil {
		return err
	}
	return e.send(fmt.Sprintf("event: %s\ndata: %s\n\n", name, text))
}

func (e *sse) heard(n news) error {
	if n.sold {
		return e.event("sold", n.pony)
	}
	return e.event("pony", n.pony)
}

func (e *sse) alive() error { return e.send(":\n\n") }

func (e *sse) ended(reason string) {
	_ = e.event("ended", endedMessage{Reason: reason}) // the client is gone: nobody is left to tell
}

// leave lets the answer end; browsers then come back by themselves.
func (e *sse) leave() {}
