// The page of a payment follows the bank without being reloaded. Without this script the page reloads itself.
(() => {
  const region = document.getElementById("payment");
  const begun = Date.now();
  const patience = 30000; // so long somebody whom the bank has sent back reads "Checking", before "Waiting for you"
  let back = new URLSearchParams(location.search).has("back");
  let timer;
  const shown = () => region.querySelector("[data-version]");

  // What a reload would show is what the script shows: the mark leaves the address too.
  function stateUrl() {
    if (back && Date.now() - begun > patience) {
      back = false;
      history.replaceState(null, "", location.pathname);
    }
    return region.dataset.stateUrl + (back ? "?back=1" : "");
  }

  async function look() {
    try {
      const answer = await fetch(stateUrl(), { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.redirected || answer.status === 404) return location.reload(); // logged out meanwhile
      if (answer.ok) show(await answer.text());
    } catch { /* offline for a moment: the next look may do better */ }
    if (!("final" in shown().dataset)) later();
  }

  // Only news is put on the page, so nothing jumps and a screen reader is not told the same thing again.
  function show(text) {
    const fresh = document.createRange().createContextualFragment(text);
    const news = fresh.querySelector("[data-version]");
    if (!news) return;
    if (news.dataset.version === shown().dataset.version) {
      shown().toggleAttribute("data-final", "final" in news.dataset);
      return;
    }
    const focused = region.contains(document.activeElement);
    region.replaceChildren(fresh);
    document.title = `${region.querySelector("h1").textContent} · Boxoffice`;
    if (focused) document.getElementById("content").focus();
  }

  function later() {
    const slower = Date.now() - begun > 120000 ? 5 : 1; // after two minutes nobody counts seconds
    clearTimeout(timer); // coming back to the tab looks at once; there is one rhythm all the same
    timer = setTimeout(look, Number(shown().dataset.poll) * 1000 * slower);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden && !("final" in shown().dataset)) look(); });
  later();
})();
