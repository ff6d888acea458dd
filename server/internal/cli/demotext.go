package cli

import "strings"

// curlText are lines to paste into a shell, one after the other: the articles'
// five endpoints.
const curlText = `
Paste these into a shell. First what both kinds of clients share:

  URL=@URL; JSON='Content-Type: application/json'; TMP=$(mktemp -d)
  LOGIN=@LOGIN
  value() { sed -E 's/.*"'$1'":"([^"]+)".*/\1/' $TMP/answer; }

A browser client: cookies, which it cannot read, and a CSRF token, which no other site can.

  curl -s -c $TMP/jar -H "Origin: $URL" -H "$JSON" -d "$LOGIN" $URL/auth/web/login | tee $TMP/answer; CSRF=$(value csrf_token)
  curl -s -b $TMP/jar -c $TMP/jar -H "Origin: $URL" -H "X-CSRF-Token: $CSRF" -X POST $URL/auth/web/refresh | tee $TMP/answer
  curl -s -b $TMP/jar -H "Origin: $URL" -H "X-CSRF-Token: $CSRF" -H "$JSON" -d '{"name":"Juniper","breed":"Fjord"}' $URL/ponies

Any other client: tokens.

  curl -s -H "$JSON" -d "$LOGIN" $URL/auth/token/login | tee $TMP/answer; ACCESS=$(value access_token); REFRESH=$(value refresh_token)
  curl -s -H "$JSON" -d "{\"refresh_token\":\"$REFRESH\"}" $URL/auth/token/refresh | tee $TMP/answer; ACCESS=$(value access_token)
  curl -s -H "Authorization: Bearer $ACCESS" -H "$JSON" -d '{"name":"Clover","breed":"Exmoor"}' $URL/ponies

`

// browserText says what there is to see besides the page; %s are two addresses.
const browserText = `In a browser, once you are signed in, “Go to the shop, signed in” leads to another
site on another host. Beside the ponies:

  %s  measures five kinds of session side by side
  %s  is the shop, where you sign in with your account at the ponies

`

// curlLines fills in the URL and a user's login.
func curlLines(url string, u demoUser) string {
	password := u.password
	if password == "" {
		password = "PASSWORD"
	}
	body := `{"username":"` + u.name + `","password":` + jsonString(password) + `}`
	return strings.NewReplacer("@URL", url, "@LOGIN", shellQuote(body)).Replace(curlText)
}

// shellQuote makes one word of a text, for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
