// Draws what the server plotted with Bokeh: <figure data-plot="ADDRESS"> shows the plot that the address answers.
"use strict";

const isDark = window.matchMedia("(prefers-color-scheme: dark)");

async function draw(figure) {
  const address = new URL(figure.dataset.plot, document.baseURI);
  address.searchParams.set("theme", isDark.matches ? "dark" : "light");
  address.searchParams.set("width", Math.round(figure.clientWidth));
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

// <button data-replot="ID" data-scale="flux"> draws the figure of this id anew, with all that the button has as query.
function replot(event) {
  const button = event.target.closest("[data-replot]");
  if (!button) return;
  const { replot: id, ...query } = button.dataset;
  const figure = document.getElementById(id);
  const address = new URL(figure.dataset.plot, document.baseURI);
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  figure.dataset.plot = address.href;
  for (const other of document.querySelectorAll(`[data-replot="${id}"]`)) other.ariaPressed = String(other === button);
  drawAll();
}

document.addEventListener("DOMContentLoaded", drawAll);
document.addEventListener("click", replot);
isDark.addEventListener("change", drawAll);
