// The page that compares. It asks for one profile after the other, and writes what
// it receives as text.

const byID = (id) => document.getElementById(id);
const profiles = Array.from(document.querySelectorAll("th[data-profile]"), (th) => th.dataset.profile);

const say = (text) => { byID("status").textContent = text; };

// measure returns what the server has measured of a profile, or throws what it says.
async function measure(profile) {
  const answer = await fetch(`/compare/${profile}`, { method: "POST", cache: "no-store", redirect: "error" });
  const body = await answer.json();
  if (!answer.ok) throw new Error([body.title, body.detail].filter(Boolean).join(". "));
  return body.cells;
}

async function measureAll() {
  byID("problem").hidden = true;
  for (const cell of document.querySelectorAll("td.measured")) cell.textContent = "";
  for (const [i, profile] of profiles.entries()) {
    say(`Measuring ${profile}, ${i + 1} of ${profiles.length} …`);
    byID(profile).setAttribute("aria-busy", "true");
    try {
      for (const [row, text] of Object.entries(await measure(profile))) byID(`${profile}-${row}`).textContent = text;
    } finally {
      byID(profile).removeAttribute("aria-busy");
    }
  }
  say("All five are measured.");
}

// The button keeps the focus while it works, so it is not disabled for real.
byID("measure").addEventListener("click", async ({ currentTarget: button }) => {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await measureAll();
  } catch (err) {
    say("");
    byID("problem").textContent = err instanceof TypeError ? "The server cannot be reached." : err.message;
    byID("problem").hidden = false;
  } finally {
    button.removeAttribute("aria-disabled");
    button.textContent = "Measure again";
  }
});
