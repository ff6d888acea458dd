"use strict";
// The token goes out of the address before anything else can see it there.
const handed = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname);

const element = (id) => document.getElementById(id);

function show(id) {
  for (const section of document.querySelectorAll("section")) section.hidden = section.id !== id;
}

// leave goes on to a path of this site, and leaves no entry of this page behind.
function leave(path) {
  const to = new URL(path, location.origin);
  if (to.origin === location.origin) location.replace(to.href);
}

async function redeem(change) {
  show("working");
  let answer, body;
  try {
    answer = await fetch("redeem", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: handed.get("ho"), attempt: handed.get("at"), switch: change }),
    });
    body = await answer.json();
  } catch {
    return show("retry");
  }
  if (answer.ok) return leave(body.return);
  if (body.code === "already_signed_in") return show("other");
  show(body.action === "retry" ? "retry" : "failed");
}

function begin() {
  let change = false;
  element("switch").onclick = () => redeem((change = true));
  element("again").onclick = () => redeem(change);
  if (handed.get("ho") && handed.get("at") && top === self) redeem(change);
  else show("failed");
}

// A page that is only being prepared has not been visited.
if (document.prerendering) document.addEventListener("prerenderingchange", begin, { once: true });
else document.addEventListener("DOMContentLoaded", begin);
