// Live pages: parts come as events and take the place of those that stand there. Nothing is asked for while the page is hidden.
"use strict";
(() => {
  // What is newest stands at the right end.
  for (const chart of document.querySelectorAll(".chart .scroll")) chart.scrollLeft = chart.scrollWidth;

  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;
  const words = {still: "not live", live: "live", paused: "paused", again: "connecting again", trouble: "database does not answer"};
  const signs = {still: "○", live: "●", paused: "‖", again: "↻", trouble: "✕"};
  let source = null;

  function say(state) {
    if (live.dataset.state === state) return;
    live.dataset.state = state;
    live.querySelector(".sign").textContent = signs[state];
    live.querySelector(".word").textContent = words[state];
  }

  // What somebody has opened, focused or marked stays as it is.
  function replace(old, fresh) {
    const open = new Set([...old.querySelectorAll("details[open][id]")].map((d) => d.id));
    for (const d of fresh.querySelectorAll("details[id]")) if (open.has(d.id)) d.open = true;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const href = focused && focused.getAttribute("href");
    const scrolled = [...old.querySelectorAll(".wide")].map((w) => w.scrollLeft);
    old.replaceWith(fresh);
    [...fresh.querySelectorAll(".wide")].forEach((w, i) => { if (scrolled[i]) w.scrollLeft = scrolled[i]; });
    if (href) {
      const again = [...fresh.querySelectorAll("a")].find((a) => a.getAttribute("href") === href);
      if (again) again.focus({preventScroll: true});
    }
  }

  function selecting(element) {
    const s = document.getSelection();
    return s && !s.isCollapsed && element.contains(s.anchorNode);
  }

  function take(event) {
    const part = JSON.parse(event.data);
    const old = document.getElementById(part.id);
    say("live");
    if (!old || selecting(old)) return;
    const holder = document.createElement("template");
    holder.innerHTML = part.html;
    const fresh = holder.content.firstElementChild;
    if (fresh && fresh.outerHTML !== old.outerHTML) replace(old, fresh);
  }

  function open() {
    if (source) return;
    source = new EventSource("/events?of=" + encodeURIComponent(live.dataset.of));
    source.addEventListener("open", () => say("live"));
    source.addEventListener("part", take);
    source.addEventListener("trouble", () => say("trouble"));
    source.addEventListener("well", () => say("live"));
    source.addEventListener("error", () => {
      say("again");
      if (source && source.readyState === EventSource.CLOSED) { // refused, as after a session's end: the browser does not try again
        close();
        window.setTimeout(() => { if (!document.hidden) open(); }, 5000);
      }
    });
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
      say("paused");
    } else {
      open();
    }
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", () => { if (!document.hidden) open(); });
})();
