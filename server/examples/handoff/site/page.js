// The page of the shop. It holds no token but the session's CSRF token, in memory.

const element = (id) => document.getElementById(id);
let csrf = "";

async function call(path, body) {
  const options = { method: body ? "POST" : "GET", headers: { "X-CSRF-Token": csrf } };
  if (body) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch("/auth/" + path, options);
  const content = answer.status === 204 ? {} : await answer.json();
  csrf = content.csrf_token ?? csrf;
  return { ok: answer.ok, content };
}

function show(session) {
  element("signed-in").hidden = !session;
  element("signed-out").hidden = !!session;
  element("who").textContent = session?.subject ?? "";
}

async function ask() {
  const session = await call("session");
  if (session.ok) await call("web/csrf");
  show(session.ok ? session.content : null);
}

element("login").onsubmit = async (event) => {
  event.preventDefault();
  const answer = await call("web/login", { username: element("username").value, password: element("password").value });
  element("status").textContent = answer.ok ? "" : answer.content.title;
  if (answer.ok) show(answer.content.session);
};

element("logout").onclick = async () => {
  const answer = await call("web/logout", {});
  element("status").textContent = answer.ok ? "" : answer.content.title;
  if (answer.ok) show(null);
};

ask();
