/* What the console does besides htmx: pages that update themselves, the countdown of WhatsApp's window, and keys. Every
   page reads and works without it. It writes no style and no markup of its own: what it shows came from the server. */
"use strict";
(() => {
  const REFRESH_MS = { thread: 1500, list: 8000 }, POLL_MS = 20000, COUNT_MS = 20000, SCROLLED_PX = 40;
  const one = (selector, within) => (within || document).querySelector(selector);

  /* ---- A page that updates itself: told by a stream what changed, it gets itself again and takes over what differs. */
  let stream = null, wanted = false, timer = 0, timerDue = 0, last = 0;

  function listen() {
    const page = one("[data-live]");
    if (!page || stream || document.hidden) return;
    const seen = page.dataset.seen ? `?seen=${page.dataset.seen}` : "";
    stream = new EventSource(page.dataset.live + seen);
    stream.onopen = () => show(true);
    stream.onerror = () => show(false);
    for (const name of ["list", "thread"]) stream.addEventListener(name, () => want(name));
  }

  function show(isOn) {
    for (const word of document.querySelectorAll("[data-live-word]")) word.hidden = (word.dataset.liveWord === "on") !== isOn;
  }

  function want(name) {
    const due = Math.max(Date.now(), last + REFRESH_MS[name || "thread"]);
    wanted = true;
    if (document.hidden || (timer && timerDue <= due)) return;
    clearTimeout(timer);
    timerDue = due;
    timer = setTimeout(refresh, due - Date.now());
  }

  async function refresh() {
    const page = one("[data-live]");
    timer = 0;
    wanted = false;
    last = Date.now();
    if (!page) return;
    try {
      const answer = await fetch(page.dataset.page, { headers: { "X-Live": "1" }, redirect: "manual" });
      if (!answer.ok) return show(false);
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch (error) {
      show(false);
    }
  }

  function take(fresh) {
    const focused = document.activeElement && document.activeElement.id;
    const log = one(".log"), height = log ? log.scrollHeight : 0, top = log ? log.scrollTop : 0;
    for (const old of document.querySelectorAll("[data-fresh]")) {
      const newer = fresh.getElementById(old.id);
      if (newer) patch(old, newer);
    }
    if (log && top < -SCROLLED_PX && log.scrollHeight > height) {
      log.scrollTop = top - (log.scrollHeight - height);
      const newer = one("#newer");
      if (newer) newer.hidden = false;
    }
    if (focused && document.getElementById(focused) !== document.activeElement) {
      const again = document.getElementById(focused);
      if (again) again.focus({ preventScroll: true });
    }
    count();
  }

  /* `data-keyed`: children have ids and only those that differ are replaced. `data-version`: replaced when that differs. */
  function patch(old, fresh) {
    if ("version" in old.dataset && old.dataset.version === fresh.dataset.version) return;
    if (old.tagName === "DETAILS" && old.open) fresh.open = true;
    if (old.isEqualNode(fresh)) return;
    if (!("keyed" in old.dataset)) return replace(old, fresh);
    let place = old.firstElementChild;
    const known = new Set([...fresh.children].map((child) => child.id));
    for (const child of [...old.children]) if (!known.has(child.id)) {
      if (place === child) place = child.nextElementSibling;
      child.remove();
    }
    for (const child of [...fresh.children]) {
      const mine = old.querySelector(`:scope > [id="${CSS.escape(child.id)}"]`);
      if (mine) {
        if (mine === place) place = place.nextElementSibling; else old.insertBefore(mine, place);
        patch(mine, child);
      } else old.insertBefore(document.adoptNode(child), place);
    }
  }

  function replace(old, fresh) {
    const draft = one("textarea", old), kept = draft ? draft.value : "";
    old.replaceWith(document.adoptNode(fresh));
    if (kept && one("textarea", fresh)) one("textarea", fresh).value = kept;
    load(fresh);
  }

  /* ---- Parts that a page gets after itself, where it has a link to them. */
  async function load(within) {
    for (const place of within.querySelectorAll("[data-load]")) {
      const answer = await fetch(place.dataset.load, { redirect: "manual" });
      const part = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(place.dataset.part);
      if (part) place.replaceChildren(document.adoptNode(part));
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      if (stream) stream.close();
      stream = null;
    } else {
      listen();
      if (one("[data-live]")) want();
    }
  });
  setInterval(() => { if (wanted || (stream && stream.readyState === EventSource.CLOSED)) want(); }, POLL_MS);

  /* ---- The countdown of the 24 hours, in the words of the server. */
  function count() {
    for (const place of document.querySelectorAll("[data-until]")) {
      const minutes = Math.floor((Date.parse(place.dataset.until) - Date.now()) / 60000);
      if (minutes < 0) want();
      const left = Math.max(minutes, 0), hours = Math.floor(left / 60), rest = left % 60;
      const words = hours === 0 ? `${rest} min` : rest && hours < 10 ? `${hours} h ${rest} min` : `${hours} h`;
      if (hours < 24 && place.textContent !== words) place.textContent = words;
    }
  }

  /* ---- Keys. They act by the page's own links and buttons; outside of fields only, and can be switched off. */
  const OFF = "horizonai.keys";
  const isOff = () => localStorage.getItem(OFF) === "off";
  let goes = false;

  function press(element) {
    if (!element || element.disabled) return false;
    if (element.matches("textarea, input")) element.focus(); else element.click();
    return true;
  }

  function step(by) {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return false;
    const focused = rows.indexOf(document.activeElement);
    const at = focused >= 0 ? focused : rows.findIndex((row) => row.getAttribute("aria-current"));
    const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    next.focus();
    return true;
  }

  function help() {
    const dialog = one("#keys");
    if (dialog && !dialog.open) dialog.showModal();
    return Boolean(dialog);
  }

  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, textarea, select, [contenteditable]");
    if (field) {
      if (event.key === "Escape") field.blur();
      if (event.key === "Enter" && event.ctrlKey && field.form) press(one("button.main", field.form));
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isOff() || one("dialog[open]")) return;
    const key = event.key.toLowerCase();
    const goesTo = goes;
    goes = key === "g";
    const done = goesTo ? press(one(`[data-go="${CSS.escape(key)}"]`))
      : key === "?" ? help()
      : key === "j" ? step(1)
      : key === "k" ? step(-1)
      : key.length === 1 && press(one(`[data-key="${CSS.escape(key)}"]`));
    if (done) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("[data-keys]")) help();
    if (button.matches("[data-keys-switch]")) {
      localStorage.setItem(OFF, isOff() ? "on" : "off");
      words();
    }
    if (button.id === "newer") {
      one(".log").scrollTop = 0;
      button.hidden = true;
    }
  });

  function words() {
    for (const word of document.querySelectorAll("[data-keys-word]")) word.hidden = (word.dataset.keysWord === "off") !== isOff();
  }

  /* ---- A form is sent once: a second click would write to a person twice. */
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
    setTimeout(() => delete event.target.dataset.sent, 5000);
  });

  for (const hidden of document.querySelectorAll("[data-script]")) hidden.hidden = false;
  load(document);
  words();
  count();
  setInterval(count, COUNT_MS);
  listen();
})();
