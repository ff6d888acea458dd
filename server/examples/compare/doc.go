// Package compare is the page of the demo on which the five profiles stand side by
// side, with the same ponies behind each. Nothing on it is claimed: when a visitor
// presses the button, each profile is measured, on two nodes of its own over a
// database of its own, by a client that does what a browser or an app does.
//
// The nodes are whole: managers, endpoints and the ponies behind them. What lies
// between client and nodes is not: requests are handed to the handlers without a
// network, so that what is measured is what a profile costs, and not the socket.
package compare
