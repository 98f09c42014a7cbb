// Draws what the server plotted with Bokeh: <figure data-plot="ADDRESS"> shows the plot that the address answers.
"use strict";

const isDark = window.matchMedia("(prefers-color-scheme: dark)");

async function draw(figure) {
  const address = new URL(figure.dataset.plot, document.baseURI);
  address.searchParams.set("theme", isDark.matches ? "dark" : "light");
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const item = await answer.json();
  figure.replaceChildren();
  await Bokeh.embed.embed_item(item, figure);
}

function drawAll() {
  for (const figure of document.querySelectorAll("[data-plot]")) {
    draw(figure).catch((error) => { figure.textContent = `This plot cannot be shown: ${error.message}`; });
  }
}

document.addEventListener("DOMContentLoaded", drawAll);
isDark.addEventListener("change", drawAll);
