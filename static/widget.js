// The bank's own card form on the page of a payment. What it is started with came from the server; a browser that
// changes it pays nothing: the bank asks us before it takes the money.
(() => {
  const { script, start } = JSON.parse(document.getElementById("widget-start").textContent);
  const place = document.getElementById("widget");
  const button = place.querySelector("button");
  const words = place.querySelector("[role=alert]");
  const bank = document.createElement("script");
  bank.src = script;
  bank.onload = () => { button.hidden = false; words.textContent = "Cards are entered in the bank's form only; we never see their numbers."; };
  bank.onerror = () => { words.textContent = "The bank's card form does not load just now. Please try again in a minute."; };
  document.head.append(bank);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await new cp.CloudPayments().start({ ...start, amount: Number(start.amount) });
    } catch { words.textContent = "The bank's card form has stopped. Please try again."; }
    button.disabled = false; // the page above follows what the bank says
  });
})();
