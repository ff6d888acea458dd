// The page of the ponies demo. It holds no token but the session's CSRF token,
// in memory; the credentials are in cookies that no script can read. It keeps
// nothing in any storage, and writes what it received as text, never as HTML.

const body = document.body.dataset;
const auth = body.auth;
const refreshEvery = Number(body.refreshMs);
const byID = (id) => document.getElementById(id);

const state = {
  csrf: "",
  session: null, // as GET /auth/session answers, while signed in
  epoch: 0, // goes up as somebody signs in or out: answers to older questions are dropped
  acted: true, // the user has done something since the last refresh; so did who loaded the page
  refreshedAt: Date.now(),
  nextRefresh: 0,
  key: "", // the Idempotency-Key of a refresh whose answer is outstanding
  skew: 0, // the server's clock less ours, in milliseconds
  adding: false, // the form signs in beside the account that is in use
};

// ---- requests

// Problem is an answer that says no (RFC 9457), or the lack of an answer.
class Problem extends Error {
  constructor(document, retryAfter = 0) {
    super(document.title);
    Object.assign(this, { detail: "", code: "internal", action: "none", request_id: "", status: 0 }, document, { retryAfter });
  }
}

const unreachable = () => new Problem({
  title: "The server cannot be reached", code: "network", action: "retry",
  detail: "The request may or may not have arrived.",
});

async function send(method, path, { body, headers } = {}) {
  headers = { Accept: "application/json", ...headers };
  if (body) headers["Content-Type"] = "application/json";
  if (method !== "GET" && state.csrf) headers["X-CSRF-Token"] ??= state.csrf;
  if (state.session) headers["Remuda-Session"] = state.session.id; // nobody else's answer is wanted
  let response, text;
  try {
    response = await fetch(path, {
      method, headers, body: body && JSON.stringify(body),
      credentials: "same-origin", cache: "no-store", redirect: "error", signal: AbortSignal.timeout(15000),
    });
    text = await response.text();
  } catch {
    throw unreachable();
  }
  const date = Date.parse(response.headers.get("Date"));
  if (date) state.skew = date + 500 - Date.now(); // it is cut to seconds
  let answer = null;
  try {
    if (text) answer = JSON.parse(text);
  } catch {
    answer = undefined;
  }
  if (response.ok && answer !== undefined) return answer;
  const { status } = response;
  if (answer?.code === "session_switched") changed();
  throw new Problem({ title: `Unexpected answer (status ${status})`, status, ...answer }, Number(response.headers.get("Retry-After")));
}

// call sends a request and, if the access token has expired, refreshes and sends
// it once more: what was refused for its token has changed nothing. Nobody's
// session is prolonged who is not there.
async function call(method, path, options) {
  if (refreshing) await refreshing.catch(() => {});
  const asked = Date.now();
  try {
    return await send(method, path, options);
  } catch (err) {
    if (err.action !== "refresh") throw err;
    const overtaken = state.refreshedAt > asked; // a refresh came between
    if (!overtaken && !refreshing && !state.acted) throw err;
    if (!overtaken) await refresh();
  }
  return send(method, path, options);
}

async function fetchCSRF() {
  state.csrf = (await send("GET", `${auth}/web/csrf`)).csrf_token;
}

// ---- refreshing

let refreshing = null;

// refresh gets a fresh access token: one request at a time in this tab and, where
// the browser has locks, in all tabs. Without locks the server tells parallel
// tabs from thieves.
function refresh() {
  const asked = Date.now();
  const turn = () => renew(asked);
  refreshing ??= (navigator.locks ? navigator.locks.request("ponies-refresh", turn) : turn())
    .finally(() => { refreshing = null; });
  return refreshing;
}

async function renew(asked) {
  if (state.refreshedAt > asked) return; // another tab did, while this one waited
  state.acted = false;
  for (let attempt = 0; ; attempt++) {
    // The key names this one refresh, so that one whose answer was lost is
    // recognised when it comes again. It is random and never used twice.
    state.key ||= randomKey();
    try {
      const answer = await send("POST", `${auth}/web/refresh`, { headers: { "Idempotency-Key": `"${state.key}"` } });
      state.key = "";
      state.csrf = answer.csrf_token;
      refreshed();
      tell("refreshed");
      adopt(answer.session);
      return;
    } catch (err) {
      if (err.code !== "network" && !(err.status >= 500)) state.key = "";
      if (err.code === "refresh_superseded" || err.code === "refresh_too_early") return refreshed();
      if (!await mayRetry(err, attempt)) {
        state.acted = true;
        state.nextRefresh = Date.now() + Math.min(refreshEvery, 5000);
        throw err;
      }
    }
  }
}

// mayRetry waits as long as it takes until a refresh may be tried again.
async function mayRetry(err, attempt) {
  if (attempt >= 2) return false;
  if (err.code === "csrf_failed") { // another tab has signed in anew
    await fetchCSRF();
    return true;
  }
  if (err.action !== "retry" || err.retryAfter > 5) return false;
  await new Promise((done) => { setTimeout(done, err.retryAfter * 1000 || 400 * 2 ** attempt); });
  return true;
}

function refreshed() {
  streamAfter = 0;
  state.refreshedAt = Date.now();
  state.nextRefresh = state.refreshedAt + refreshEvery;
}

function randomKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

// refreshIfDue refreshes if it is time and somebody is there. An idle tab lets
// the session idle out.
function refreshIfDue() {
  if (!state.session || refreshing || !state.acted || Date.now() < state.nextRefresh) return;
  refresh().catch(failed);
}

function act(event) {
  if (!event.isTrusted) return;
  state.acted = true;
  refreshIfDue();
}

// adopt takes over what an answer says of the session. Another session than
// before means that somebody else has signed in in this browser: then nothing
// may be repeated on their behalf.
function adopt(session) {
  if (state.session && state.session.id !== session.id) changed();
  state.session = session;
  showSession();
}

// changed shows whose session it is now, and says that it is another.
function changed() {
  boot();
  throw new Problem({
    title: "Another session is in use now", code: "session_changed",
    detail: "Somebody has signed in anew, or switched accounts, in another tab. Nothing was done here.",
  });
}

// ---- other tabs

const channel = "BroadcastChannel" in window ? new BroadcastChannel("ponies") : null;
const tell = (type) => channel?.postMessage(type);

function heard({ data }) {
  switch (data) {
    case "refreshed":
      refreshed();
      state.acted = false;
      state.key = ""; // what it named is overtaken
      if (state.session) loadSession().catch(() => {});
      break;
    case "signed-in":
      byID("problem").hidden = true;
      boot();
      break;
    case "signed-out":
      if (state.session) leave("You were signed out in another tab.");
      break;
    case "check":
      if (state.session) probe();
      break;
  }
}
channel?.addEventListener("message", heard);

// ---- live

// What may have ended a session, in words.
const reasons = {
  logout: "it was ended in another window or on another device",
  logout_others: "another device has logged out all others",
  limit: "there were too many sessions, and this was the oldest",
  reuse: "somebody else held a copy of this session",
  rolled_back: "the server has lost track of this session",
  password_changed: "the password was changed",
  email_changed: "the e-mail address was changed",
  admin: "an administrator has ended the session",
  disowned: "you have said that it was not you",
  disabled: "the account was disabled",
  revoked: "the session was revoked",
  key_compromised: "the server's keys were changed",
};

let stream = null;
let streamAfter = 0; // not before then, after a refusal

// listen hears what happens to the herd and to the session, while somebody is
// signed in and sees this page: of HTTP/1.1 a browser has six connections to a
// server, for all its tabs together.
function listen() {
  if (!state.session || document.hidden || !("EventSource" in window)) return hush();
  if (stream || Date.now() < streamAfter) return;
  const source = stream = new EventSource(`/ponies/events?session=${state.session.id}`);
  let again = false;
  source.addEventListener("open", () => {
    byID("live").hidden = false;
    if (again) loadPonies().catch(() => {}); // some may have joined or left meanwhile
    again = true;
  });
  source.addEventListener("pony", ({ data }) => showPony(JSON.parse(data)));
  source.addEventListener("sold", ({ data }) => hidePony(JSON.parse(data)));
  source.addEventListener("ended", ({ data }) => ended(JSON.parse(data).reason));
  source.addEventListener("error", () => {
    byID("live").hidden = true;
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
    hush();
    streamAfter = Date.now() + 30000;
    if (state.session) probe();
  });
}

function hush() {
  stream?.close();
  stream = null;
  byID("live").hidden = true;
}

// ended shows at once that the session is over.
function ended(reason) {
  hush();
  if (reason === "replaced") { // somebody has signed in anew in this browser, whose answer may be on its way
    setTimeout(() => { if (state.session) probe(); }, 1000);
  } else if (reason in reasons) {
    state.csrf = "";
    leave(`You were signed out: ${reasons[reason]}.`);
  } else {
    probe();
  }
}

// ---- who is signed in

// boot finds out who is signed in, and shows it.
async function boot() {
  const epoch = wipe();
  try {
    await fetchCSRF();
    const session = await call("GET", `${auth}/session`);
    if (epoch === state.epoch) enter(session);
  } catch (err) {
    if (epoch !== state.epoch) return;
    if (err.code === "token_missing") {
      leave("");
      loadAccounts().catch(() => {});
    } else {
      byID("unknown").hidden = false;
      failed(err);
    }
  }
}

function enter(session) {
  wipe();
  state.session = session;
  state.nextRefresh ||= state.refreshedAt + refreshEvery;
  byID("signed-in").hidden = false;
  showSession();
  return Promise.all([loadPonies(), loadDevices(), loadAccounts()]).catch(failed);
}

// leave shows that nobody is signed in, and why.
function leave(why, problem) {
  wipe();
  byID("signed-out").hidden = false;
  byID("problem").hidden = true;
  say(why);
  if (problem) show(problem);
  else byID("username").focus();
}

// wipe removes everything private from the page, and makes answers that are
// under way stale.
function wipe() {
  hush();
  clearTimeout(watching);
  if (byID("step-up").open) byID("step-up").close();
  for (const id of ["signed-in", "signed-out", "unknown", "others-here"]) byID(id).hidden = true;
  addAccount(false);
  for (const id of ["who", "actor", "accounts", "ponies", "devices", "status", "idle", "idle-left", "absolute", "absolute-left", "authenticated"]) {
    byID(id).replaceChildren();
  }
  for (const id of ["idle", "absolute", "authenticated"]) byID(id).removeAttribute("datetime");
  for (const form of document.forms) form.reset();
  state.session = null;
  return ++state.epoch;
}

// failed shows what went wrong; if the session is over, as that.
function failed(err) {
  if (!(err instanceof Problem)) throw err;
  if (err.action === "login" && err.code !== "login_failed") {
    const was = state.session;
    if (err.code === "token_missing") err.detail ||= "You were signed out in another tab or window.";
    state.csrf = "";
    leave("You are signed out.", err);
    if (was) tell("check");
    return;
  }
  show(err);
}

async function loadSession() {
  const { epoch } = state;
  const session = await call("GET", `${auth}/session`);
  if (epoch === state.epoch) adopt(session);
}

// probe asks whether the session lives, which is no sign of activity.
async function probe() {
  const { epoch } = state;
  try {
    await fetchCSRF();
    await loadSession();
  } catch (err) {
    if (epoch !== state.epoch) return;
    if (err.action === "login" || err.code === "session_changed") failed(err);
    else watch(refreshEvery);
  }
}

let watching = 0;

// watch asks again once a deadline has passed.
function watch(least = 0) {
  clearTimeout(watching);
  const { expires_at, idle_expires_at } = state.session;
  const left = Math.min(Date.parse(expires_at), Date.parse(idle_expires_at)) + 2000 - serverNow();
  watching = setTimeout(left > 3600e3 ? watch : probe, Math.min(Math.max(left, least, 1000), 3600e3));
}

const serverNow = () => Date.now() + state.skew;

// ---- showing

function showSession() {
  const { subject, actor, expires_at, idle_expires_at, authenticated_at } = state.session;
  byID("who").textContent = subject;
  byID("acting").hidden = !actor;
  byID("actor").textContent = actor ?? "";
  byID("act").hidden = byID("account").hidden = Boolean(actor);
  showTime("idle", idle_expires_at);
  showTime("absolute", expires_at);
  showTime("authenticated", authenticated_at);
  showLeft();
  watch();
  listen();
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "always" });

function showTime(id, value) {
  byID(id).dateTime = value;
  byID(id).textContent = clock.format(new Date(value));
}

function showLeft() {
  for (const id of ["idle", "absolute"]) {
    const at = byID(id).dateTime;
    byID(`${id}-left`).textContent = at ? `(${inWords((Date.parse(at) - serverNow()) / 1000)})` : "";
  }
}

function inWords(seconds) {
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= 2 * size) return relative.format(Math.round(seconds / size), unit);
  }
  return relative.format(Math.round(seconds), "second");
}

function say(text) { byID("status").textContent = text; }

function element(name, text, className = "") {
  const e = document.createElement(name);
  e.textContent = text;
  if (className) e.className = className;
  return e;
}

// explain writes a problem into a box.
function explain(box, err) {
  box.replaceChildren(element("strong", err.message));
  if (err.detail) box.append(element("span", err.detail));
  box.append(element("code", err.request_id ? `${err.code} · ${err.request_id}` : err.code));
  box.hidden = false;
}

function show(err) {
  explain(byID("problem"), err);
  byID("problem").focus();
}

// ---- ponies

async function loadPonies() {
  const { epoch } = state;
  const before = [...byID("ponies").children];
  const { ponies } = await call("GET", "/ponies");
  if (epoch !== state.epoch) return;
  for (const pony of ponies) showPony(pony);
  for (const { dataset: { id } } of before) if (!ponies.some((pony) => pony.id === id)) hidePony({ id });
  byID("no-ponies").hidden = byID("ponies").childElementCount > 0;
}

const gone = new Set(); // ids of ponies that are sold

// showPony adds a pony, unless it is there or gone: news of it may come by an
// answer, by a list and by the stream, in any order.
function showPony(pony) {
  if (gone.has(pony.id)) return;
  byID("no-ponies").hidden = true;
  for (const item of byID("ponies").children) {
    if (item.dataset.id === pony.id) return;
  }
  byID("ponies").append(ponyItem(pony));
}

function ponyItem(pony) {
  const item = element("li", "");
  item.dataset.id = pony.id;
  const text = element("span", pony.name);
  text.append(element("span", pony.breed, "quiet"));
  const sell = element("button", "Sell");
  sell.type = "button";
  sell.setAttribute("aria-label", `Sell ${pony.name}`);
  sell.addEventListener("click", () => run(sell, () => sellPony(pony)));
  item.append(text, sell);
  return item;
}

// sellPony asks for the password each time. A pony that is not found has been sold
// in another window.
async function sellPony(pony) {
  try {
    if (!await important("DELETE", `/ponies/${encodeURIComponent(pony.id)}`)) return;
  } catch (err) {
    if (err.code !== "not_found") throw err;
  }
  hidePony(pony);
  byID("ponies-title").focus();
  say(`${pony.name} is sold.`);
}

function hidePony({ id }) {
  gone.add(id);
  for (const item of byID("ponies").children) {
    if (item.dataset.id === id) item.remove();
  }
  byID("no-ponies").hidden = byID("ponies").childElementCount > 0;
}

async function addPony(form) {
  const pony = await call("POST", "/ponies", { body: { name: byID("name").value, breed: byID("breed").value } });
  form.reset();
  showPony(pony);
  byID("name").focus();
  say(`${pony.name} has joined your herd.`);
}

// ---- devices

async function loadDevices() {
  const { epoch } = state;
  const devices = [];
  let after = "";
  do {
    const { sessions, next } = await call("GET", `${auth}/sessions${after}`);
    devices.push(...sessions);
    after = next && `?after=${encodeURIComponent(next)}`;
  } while (after);
  if (epoch !== state.epoch) return;
  devices.sort((a, b) => b.current - a.current || b.last_seen_at.localeCompare(a.last_seen_at));
  byID("devices").replaceChildren(...devices.map(deviceItem));
}

function deviceItem(device) {
  const item = element("li", "");
  const name = [device.device || "Unknown device", device.place].filter(Boolean).join(", ");
  const text = element("span", device.current ? `${name} – this one` : name);
  text.append(element("span", `since ${clock.format(new Date(device.started_at))}, last seen ${clock.format(new Date(device.last_seen_at))}`, "quiet"));
  item.append(text);
  if (!device.current) {
    const end = element("button", "End");
    end.type = "button";
    end.dataset.session = device.id;
    end.setAttribute("aria-label", `End ${name}, since ${clock.format(new Date(device.started_at))}`);
    end.addEventListener("click", () => run(end, () => endDevice(device)));
    item.append(end);
  }
  return item;
}

async function endDevice(device) {
  const path = `${auth}/sessions/${encodeURIComponent(device.id)}`;
  if (!await important("DELETE", path)) return;
  await loadDevices();
  byID("devices-title").focus();
  say("That device is signed out.");
}

async function endOthers() {
  if (!await important("POST", `${auth}/web/logout?others=1`)) return;
  await loadDevices();
  say("Your other devices are signed out.");
}

// ---- step-up

// important sends a request that may need a recent password, asks for it, and
// repeats the request. With the continuation that names it, it is done once,
// however often it arrives. It returns the answer, or false if it was not done.
async function important(method, path, body) {
  let continuation;
  try {
    return await call(method, path, { body }) ?? true;
  } catch (err) {
    if (err.action !== "reauthenticate") throw err;
    continuation = err.continuation;
  }
  if (!await stepUp(continuation)) return false;
  return await call(method, path, { body, headers: { "Remuda-Continuation": continuation } }) ?? true;
}

// stepUp asks for the password in a dialog, for the request that a continuation
// names, until it is right or the user gives up, and reports which.
function stepUp(continuation) {
  const dialog = byID("step-up"), form = byID("step-up-form"), input = byID("step-up-password");
  byID("step-up-problem").hidden = true;
  return new Promise((resolve, reject) => {
    let outcome = () => resolve(false);
    form.onsubmit = (event) => {
      event.preventDefault();
      run(form, async () => {
        try {
          const answer = await call("POST", `${auth}/step-up`, { body: { password: input.value, continuation } });
          state.csrf = answer.csrf_token;
          refreshed();
          tell("refreshed");
          adopt(answer.session);
          outcome = () => resolve(true);
        } catch (err) {
          input.value = "";
          if (err.code === "login_failed" || err.action === "retry" || err.code === "request_invalid") {
            explain(byID("step-up-problem"), err);
            input.focus();
            return;
          }
          outcome = () => reject(err);
        }
        dialog.close();
      });
    };
    byID("step-up-cancel").onclick = () => dialog.close();
    dialog.onclose = () => {
      form.reset();
      outcome();
    };
    dialog.showModal();
  });
}

// ---- the account

// changePassword signs all other devices out.
async function changePassword(form) {
  await changeCredential(form, "/password", { password: byID("old-password").value, new_password: byID("new-password").value });
  say("The password is changed, and your other devices are signed out.");
  await loadDevices();
}

async function changeEmail(form) {
  await changeCredential(form, "/email", { password: byID("email-password").value, email: byID("email").value });
  say("We have written to the new address: open the link there.");
}

async function changeCredential(form, path, body) {
  const answer = await call("POST", `${auth}${path}`, { body });
  form.reset();
  state.csrf = answer.csrf_token;
  refreshed();
  tell("refreshed");
  adopt(answer.session);
}

// ---- signing in and out

async function login() {
  const password = byID("password");
  try {
    const answer = await send("POST", `${auth}/web/login`, {
      body: { username: byID("username").value, password: password.value, remember: byID("remember").checked, add: state.adding },
    });
    state.csrf = answer.csrf_token;
    state.acted = false;
    refreshed();
    tell("signed-in");
    if (body.return) { // a path of this site, from where somebody was sent here to sign in
      location.replace(body.return);
      return;
    }
    const loaded = enter(answer.session);
    say("You are signed in.");
    byID("who-title").focus();
    await loaded;
  } catch (err) {
    password.value = "";
    show(err);
  }
}

async function logout() {
  hush(); // what ends now is no news
  try {
    await send("POST", `${auth}/web/logout`);
  } catch (err) {
    if (err.code !== "csrf_failed") throw err;
    await fetchCSRF(); // another tab has signed in anew: that session is meant
    await send("POST", `${auth}/web/logout`);
  }
  state.csrf = "";
  leave("You are signed out.");
  tell("signed-out");
  loadAccounts().catch(() => {}); // others may be left to choose from
}

// ---- accounts

// addAccount shows the form for signing in to another account beside this one, or
// takes it away.
function addAccount(adding) {
  state.adding = adding;
  byID("cancel-add").hidden = !adding;
  if (adding || state.session) byID("signed-out").hidden = !adding;
  if (adding) byID("username").focus();
}

async function loadAccounts() {
  const { epoch } = state;
  const { accounts } = await call("GET", `${auth}/accounts`);
  if (epoch !== state.epoch) return;
  const others = accounts.filter(({ session }) => !session.current);
  byID("accounts").replaceChildren(...others.map(accountItem));
  byID("others-here").hidden = others.length === 0;
}

function accountItem(account) {
  const item = element("li", "");
  const name = account.session.subject;
  const choose = element("button", `Switch to ${name}`);
  choose.type = "button";
  choose.addEventListener("click", () => run(choose, () => switchAccount(account)));
  const end = element("button", "Sign out");
  end.type = "button";
  end.setAttribute("aria-label", `Sign ${name} out`);
  end.addEventListener("click", () => run(end, () => leaveAccount(account)));
  item.append(choose, end);
  return item;
}

async function switchAccount({ n, csrf_token: csrf }) {
  hush();
  const headers = { "X-CSRF-Token": csrf, "Idempotency-Key": `"${randomKey()}"` };
  const answer = await send("POST", `${auth}/accounts/${n}/switch`, { headers });
  await take(answer, `You are ${answer.session.subject} now.`);
}

// ---- acting for others

async function actFor() {
  const answer = await important("POST", `${auth}/impersonate`, { subject: byID("act-for").value });
  if (answer) await take(answer, `You act for ${answer.session.subject}.`);
}

async function stopActing() {
  const { csrf_token: csrf } = await call("GET", `${auth}/impersonate`);
  const answer = await send("DELETE", `${auth}/impersonate`, { headers: { "X-CSRF-Token": csrf } });
  await take(answer, `You are ${answer.session.subject} again.`);
}

// take goes on in the session of an answer.
async function take(answer, text) {
  hush();
  state.csrf = answer.csrf_token;
  refreshed();
  tell("signed-in");
  const loaded = enter(answer.session);
  say(text);
  byID("who-title").focus();
  await loaded;
}

async function leaveAccount({ n, session, csrf_token: csrf }) {
  await send("DELETE", `${auth}/accounts/${n}`, { headers: { "X-CSRF-Token": csrf } });
  await loadAccounts();
  say(`${session.subject} is signed out here.`);
}

// ---- wiring

const running = new Set();

// run does what a control asks for, not twice at a time, and shows what goes
// wrong.
async function run(control, work) {
  if (running.has(control)) return;
  running.add(control);
  control.setAttribute("aria-busy", "true");
  byID("problem").hidden = true;
  say("");
  try {
    await work();
  } catch (err) {
    if (err.code === "csrf_failed") await probe(); // is it another session?
    failed(err);
  } finally {
    running.delete(control);
    control.removeAttribute("aria-busy");
  }
}

function onClick(id, work) {
  byID(id).addEventListener("click", (event) => run(event.currentTarget, work));
}

function onSubmit(id, work) {
  byID(id).addEventListener("submit", (event) => {
    event.preventDefault();
    run(event.currentTarget, () => work(event.target));
  });
}

onSubmit("login", login);
onSubmit("add", addPony);
onClick("logout", logout);
onClick("others", endOthers);
onClick("reload", loadDevices);
onClick("retry", boot);
onSubmit("act", actFor);
onSubmit("change-password", changePassword);
if (byID("change-email")) onSubmit("change-email", changeEmail);
onClick("stop-acting", stopActing);
onClick("add-account", () => addAccount(true));
onClick("cancel-add", () => addAccount(false));

for (const type of ["pointerdown", "keydown", "click", "input"]) {
  addEventListener(type, act, { capture: true, passive: true });
}
setInterval(refreshIfDue, refreshEvery);
setInterval(showLeft, 5000);
setInterval(listen, 5000);
document.addEventListener("visibilitychange", listen);

// A page in the history keeps nothing, and asks anew when it comes back.
addEventListener("pagehide", wipe);
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  byID("problem").hidden = true;
  state.acted = true;
  boot();
});

if (body.ask === "true") boot();
else leave("");
