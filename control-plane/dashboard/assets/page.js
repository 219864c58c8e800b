// Keys, and times that run. Everything works without this file; nothing in it decides.
"use strict";
(() => {
  const rows = () => Array.from(document.querySelectorAll("a.what"));
  const at = () => rows().indexOf(document.activeElement?.closest("li")?.querySelector("a.what"));

  const move = (by) => {
    const all = rows();
    if (all.length === 0) return;
    const here = at();
    const next = here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1);
    all[next].focus();
    all[next].scrollIntoView({ block: "nearest" });
  };

  // Goes to a form and puts the cursor on its button; pressing it is up to the person.
  const show = (section) => {
    const form = document.getElementById(section);
    if (form) {
      form.scrollIntoView({ block: "center" });
      form.querySelector("[data-first]")?.focus();
      return;
    }
    const here = at();
    if (here >= 0) location.assign(rows()[here].getAttribute("href") + "#" + section);
  };

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    a: () => show("approve"),
    d: () => show("deny"),
    u: () => location.assign("/"),
    x: () => {
      const box = document.activeElement?.closest("li")?.querySelector("input[type=checkbox]");
      if (box) box.checked = !box.checked;
    },
    "?": () => {
      const help = document.getElementById("keys");
      if (!help) return;
      help.open = !help.open;
      help.scrollIntoView();
      help.querySelector("summary").focus();
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("textarea, select, input:not([type=checkbox]):not([type=radio])")) return;
    const act = keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });

  // Times run by the server's clock: the page says what it was when it was made.
  const told = Number(document.querySelector("[data-now]")?.dataset.now || 0);
  const ahead = told > 0 ? Date.now() - told : 0;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const text = (seconds) => {
    const first = units.findIndex(([, size]) => seconds >= size);
    if (first < 0) return "0 s";
    const parts = units.slice(first, first + 2).map(([unit, size], place) => {
      const number = Math.floor(place === 0 ? seconds / size : (seconds % units[first][1]) / size);
      return number > 0 ? number + " " + unit : "";
    });
    return parts.filter(Boolean).join(" ");
  };
  setInterval(() => {
    for (const left of document.querySelectorAll("[data-until]")) {
      const ms = Math.max(Number(left.dataset.until) - (Date.now() - ahead), 0);
      left.textContent = text(Math.floor(ms / 1000));
      left.classList.toggle("urgent", ms < 120000);
    }
  }, 1000);

  // The list is made anew unless somebody is at work in it.
  setInterval(() => {
    const list = document.getElementById("list");
    if (!list || document.hidden || !window.htmx) return;
    if (list.contains(document.activeElement) || list.querySelector("input:checked")) return;
    htmx.trigger(list, "refresh");
  }, 5000);

  // After the browser has gone to the section by itself, which takes the cursor away.
  window.addEventListener("load", () => setTimeout(() => {
    const section = location.hash.slice(1);
    if (section === "approve" || section === "deny") show(section);
  }, 0));
})();
