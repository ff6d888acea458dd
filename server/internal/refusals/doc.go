// Package refusals keeps why the last requests were refused, in a file of one
// node, so that an operator finds the reasons by the request id that a user
// reports. What is written never holds up a request: what comes too fast is dropped
// and counted.
package refusals
