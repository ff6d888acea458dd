// Package payload is the one JSON form of claims, which all token formats that
// carry claims share: written in a fixed order, and scanned strictly. It has
// their base64url too.
//
// What Scan takes is what Append would write for the same claims, up to the order
// of members: no white space, no duplicates, no trailing data; our own texts
// escape only the quote and the backslash, names escape nothing, and half a
// surrogate pair is refused wherever it stands.
package payload
