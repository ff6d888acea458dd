// Package ponies is the demo: a small JSON API that belongs to whoever is signed
// in, and a page that uses it and shows what a session does.
//
// The API is GET and POST /ponies, for browsers with cookies and for other
// clients with tokens alike; [web.Handler.Require] tells them apart, so that
// nothing here knows how a credential travels. GET /ponies/events streams what
// happens to the herd as server-sent events, and GET /ponies/live as a WebSocket;
// both end with the session, and say why. The page is plain HTML with a
// script without dependencies. It never sees a token: it holds the session's
// CSRF token in memory and nothing in any storage of the browser.
//
// Herds are kept in memory and end with the process.
package ponies
