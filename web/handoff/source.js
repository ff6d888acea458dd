"use strict";
const asked = new URLSearchParams(location.search);
const element = (id) => document.getElementById(id);

function show(id) {
  for (const section of document.querySelectorAll("section")) section.hidden = section.id !== id;
}

// call returns the status and the body of an answer; without one, it says retry.
async function call(path, csrf, body) {
  const options = csrf ? { method: "POST", headers: { "X-CSRF-Token": csrf } } : {};
  if (body) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    const answer = await fetch(path, options);
    return { ok: answer.ok, body: await answer.json() };
  } catch {
    return { ok: false, body: { action: "retry" } };
  }
}

async function mint() {
  show("working");
  const held = await call("web/csrf");
  if (!held.ok) return refused(held.body);
  const csrf = held.body.csrf_token;
  const request = { target: asked.get("target"), state: asked.get("state") };
  let minted = await call("hand-off", csrf, request);
  if (minted.body.action === "refresh") {
    await call("web/refresh", csrf); // of several tabs one does; the cookies are all of theirs
    minted = await call("hand-off", csrf, request);
  }
  if (!minted.ok) return refused(minted.body);
  // This page, whose address is of no further use, makes way for the next.
  location.replace(minted.body.url);
}

function refused(problem) {
  const section = { login: "login", refresh: "login", retry: "retry" }[problem.action] ?? "failed";
  show(section);
}

function begin() {
  const link = element("sign-in");
  if (link.getAttribute("href") === "") link.remove();
  else link.href += "?return=" + encodeURIComponent(location.pathname + location.search);
  element("again").onclick = mint;
  if (asked.get("target") && asked.get("state") && top === self) mint();
  else show("failed");
}

if (document.prerendering) document.addEventListener("prerenderingchange", begin, { once: true });
else document.addEventListener("DOMContentLoaded", begin);
