package examples_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/server/examples/internal/browsertest"
)

// Somebody signs in as alice from a device that she has not used. She is told by mail,
// says that it was not her, and sets another password; the thief is out, and so is she,
// until she signs in with it.
func TestMail(t *testing.T) {
	t.Parallel()
	const password, next = "a long password", "another long password"
	url := demo(t, "--password", password)
	browser := browsertest.Start(t)
	own := browser.Person(t, url)
	login(own, "alice", password)
	own.WaitText("Signed in as alice")
	thief := thiefLogin(t, url, password)
	if status := thief(); status != http.StatusOK {
		t.Fatalf("the thief: %d", status)
	}
	own.Until("the mail is there", func() bool {
		return strings.Contains(mailPage(t, url), "/auth/notice/")
	})
	own.Click(`a[href="/mail"]`)
	own.WaitText("A new sign-in to your account")
	own.WaitText("Zanzibar")
	own.Click("a.link")
	own.WaitText("Was this you?")
	if status := thief(); status != http.StatusOK {
		t.Errorf("looking at the link has signed the thief out: %d", status)
	}
	own.Click("form button")
	own.WaitText("Set a new password")
	if status := thief(); status != http.StatusUnauthorized {
		t.Errorf("the thief goes on: %d", status)
	}
	browsertest.Eval[bool](own, `(document.querySelector("input[name=password]").value = "`+next+`", true)`)
	own.Click("form button")
	own.WaitText("Your new password is set")
	own.Open(url)
	login(own, "alice", password)
	own.WaitText("Wrong name or password")
	login(own, "alice", next)
	own.WaitText("Signed in as alice")
}

// Alice changes her e-mail address and her password in the page; somebody else does the
// same with the address, and she takes it back from where she was written to before.
func TestAddress(t *testing.T) {
	t.Parallel()
	const password, next = "a long password", "another long password"
	url := demo(t, "--password", password)
	browser := browsertest.Start(t)
	own := browser.Person(t, url)
	login(own, "alice", password)
	own.WaitText("Signed in as alice")

	own.Fill("old-password", password)
	own.Fill("new-password", next)
	own.Click("#change-password button")
	own.WaitText("The password is changed")
	own.Fill("email", "thief@example.com")
	own.Fill("email-password", "a wrong one")
	own.Click("#change-email button")
	own.WaitText("Wrong name or password")
	own.Fill("email-password", next)
	own.Click("#change-email button")
	own.WaitText("We have written to the new address")

	readMail(t, own, url, "Is this your address?")
	own.WaitText("to go to thief@example.com from now on")
	own.Click("form button")
	own.WaitText("We write to you here from now on")
	// The session in which it was asked for goes on.
	own.Open(url)
	own.WaitText("Signed in as alice")

	own.Until("both are told", func() bool {
		return strings.Count(mailPage(t, url), "Your e-mail address was changed") == 2
	})
	readMail(t, own, url, "Your e-mail address was changed", "alice@demo.example")
	own.WaitText("Was this you?")
	own.Click("form button")
	own.WaitText("Set a new password")
	own.Open(url)
	login(own, "alice", next)
	own.WaitText("Wrong name or password")
}

// login fills in the form of the page.
func login(b *browsertest.Tab, name, password string) {
	b.WaitFor(`!document.getElementById("signed-out").hidden`)
	b.Fill("username", name)
	b.Fill("password", password)
	b.Click("#login button")
}

// readMail opens the link of the newest mail that says all of that.
func readMail(t *testing.T, b *browsertest.Tab, url string, says ...string) {
	t.Helper()
	find := `[...document.querySelectorAll("section")].find((a) => ` + jsonList(t, says) + `.every((s) => a.textContent.includes(s)))`
	b.Until("the mail is there", func() bool {
		b.Open(url + "/mail")
		return browsertest.Eval[bool](b, `Boolean(`+find+`)`)
	})
	b.Open(browsertest.Eval[string](b, find+`.querySelector("a.link").href`))
}

func jsonList(t *testing.T, list []string) string {
	t.Helper()
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// thiefLogin signs in as alice from another kind of device, and returns what asks how it
// goes on there.
func thiefLogin(t *testing.T, url, password string) func() int {
	t.Helper()
	send := func(method, path, body, token string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", "Zanzibar/1.0")
		req.Header.Set("Content-Type", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := send(http.MethodPost, "/auth/token/login", `{"username":"alice","password":"`+password+`"}`, "")
	token := member(t, res, "access_token")
	return func() int {
		t.Helper()
		res := send(http.MethodGet, "/ponies", "", token)
		_ = res.Body.Close()
		return res.StatusCode
	}
}

// member returns a text of an answer in JSON.
func member(t *testing.T, res *http.Response, name string) string {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	text, _ := answer[name].(string)
	return text
}

// mailPage is the page of mail as it is now.
func mailPage(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/mail", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
