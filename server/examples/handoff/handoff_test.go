package handoff_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/server/examples/internal/browsertest"
	"github.com/remuda-go/remuda/web"
)

func TestHandOffInABrowser(t *testing.T) {
	t.Parallel()
	browser := browsertest.Start(t)
	d := newDemo(t)

	t.Run("from the app to the shop, and out", func(t *testing.T) {
		b := person(t, browser, d.App+"/")
		b.login("alice")
		b.at(d.App+"/", "alice")
		b.Click("#shop")
		b.at(d.Shop+"/basket", "alice")
		if from := eval[string](b, `document.referrer`); from != "" {
			t.Errorf("the shop is told that the user comes from %s", from)
		}
		for _, e := range b.entries() {
			if strings.Contains(e, "hand-off") || strings.Contains(e, "#") {
				t.Errorf("in the history: %s", e)
			}
		}
		eval[bool](b, `(history.back(), true)`)
		b.at(d.App+"/", "alice")
		b.Click("#logout")
		b.at(d.App+"/", "")
		b.Open(d.Shop + "/basket")
		b.at(d.Shop+"/basket", "")
	})

	t.Run("from the shop, by way of signing in at the app", func(t *testing.T) {
		b := person(t, browser, d.Shop+"/basket?pony=7&colour=bay")
		b.at(d.Shop+"/basket?pony=7&colour=bay", "")
		b.Click("#come")
		b.sees("login")
		b.Click("#sign-in")
		b.login("alice")
		b.at(d.Shop+"/basket?pony=7&colour=bay", "alice")
	})

	t.Run("somebody else is signed in at the shop", func(t *testing.T) {
		b := person(t, browser, d.App+"/")
		b.login("alice")
		b.at(d.App+"/", "alice")
		b.Open(d.Shop + "/basket")
		b.login("bob")
		b.at(d.Shop+"/basket", "bob")
		b.Click("#come-again")
		b.sees("other")
		b.Click("#other a")
		b.at(d.Shop+"/", "bob")
		b.Open(d.Shop + "/basket")
		b.at(d.Shop+"/basket", "bob")
		b.Click("#come-again")
		b.sees("other")
		b.Click("#switch")
		b.at(d.Shop+"/basket", "alice")
	})

	t.Run("the ponies by the shop's name", func(t *testing.T) {
		b := person(t, browser, strings.Replace(d.App, "127.0.0.1", "localhost", 1)+"/?return=/compare")
		b.at(d.App+"/?return=/compare", "") // where cookies are others
		b.login("alice")
		b.WaitFor(`location.pathname === "/compare"`)
	})

	t.Run("a token of another browser", func(t *testing.T) {
		b := person(t, browser, d.App+"/")
		b.login("alice")
		b.at(d.App+"/", "alice")
		s := newStranger(t, d)
		landing := s.mint(b)
		b.Open(landing)
		b.sees("failed")
		if href := eval[string](b, `location.href`); strings.Contains(href, "#") {
			t.Errorf("the address is still %s", href)
		}
		b.Open(landing) // as from a history or a log
		b.sees("failed")
		b.Open("about:blank")
		eval[bool](b, `new Promise((done) => {
			const frame = document.createElement("iframe");
			frame.onload = () => done(true);
			frame.src = `+quoted(landing)+`;
			document.body.append(frame);
		})`)
		if status := s.redeem(landing); status != http.StatusOK {
			t.Errorf("afterwards, in the browser that has begun: %d", status)
		}
		if status := s.redeem(landing); status != http.StatusUnauthorized {
			t.Errorf("a second time: %d", status)
		}
	})

	t.Run("paths that stay", func(t *testing.T) {
		b := person(t, browser, d.Shop+"/auth/hand-off/landing")
		list, err := json.Marshal(accepted())
		if err != nil {
			t.Fatal(err)
		}
		left := eval[[]string](b, string(list)+`.filter((p) => {
			const to = new URL(p, location.origin);
			return to.origin !== location.origin || to.username !== "" || to.hash !== "" || to.pathname.includes("//") || to.href.replaceAll("%27", "'") !== location.origin + p;
		})`)
		for _, p := range left {
			t.Errorf("%q leads a browser elsewhere", p)
		}
	})

	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, "rmd_") {
			t.Errorf("in the log: %s", line)
		}
	}
}

// accepted are paths that [web.ReturnPath] lets pass, out of all that can be put
// together of pieces which browsers, proxies and parsers read differently.
func accepted() []string {
	pieces := []string{
		"/", "\\", "//", ".", "..", "%2e", "%2E%2e", "%2f", "%5c", "%25", "%252f", "%00", "%09", "\t", "\n", " ", ":", "@", "?", "#", ";",
		"evil.example", "javascript:", "https:", "a", "%", "é", "／", "。", "[", "]", "|", "<", "'", "~", "*",
	}
	var list []string
	for _, a := range pieces {
		for _, b := range pieces {
			for _, c := range pieces {
				if p := "/" + a + b + c; web.ReturnPath(p) {
					list = append(list, p)
				}
				if p := a + b + c; web.ReturnPath(p) {
					list = append(list, p)
				}
			}
		}
	}
	return list
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // a string always marshals
	return string(b)
}
