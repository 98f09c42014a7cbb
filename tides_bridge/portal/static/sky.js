// A box that is dragged on the map of the sky becomes a condition of the address: ra_from, ra_to, dec_from, dec_to.
"use strict";

const map = document.getElementById("sky");
const WIDTH = 1000, HEIGHT = 500;
let start = null, box = null;

function place(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
  return [Math.min(Math.max(point.x, 0), WIDTH), Math.min(Math.max(point.y, 0), HEIGHT)];
}

// The inverse of Mollweide's projection: right ascension from the middle to the west, and declination [deg].
function sky(x, y) {
  const sine = 1 - y / (HEIGHT / 2);
  const angle = Math.asin(sine);
  const dec = Math.asin((2 * angle + Math.sin(2 * angle)) / Math.PI) * 180 / Math.PI;
  const width = Math.max(Math.cos(angle), 0.01);
  const east = Math.min(Math.max((1 - x / (WIDTH / 2)) / width, -1), 1) * 180;
  return [east, dec];
}

function choose([x0, y0], [x1, y1]) {
  const corners = [sky(x0, y0), sky(x0, y1), sky(x1, y0), sky(x1, y1)];
  const easts = corners.map((corner) => corner[0]), decs = corners.map((corner) => corner[1]);
  const address = new URL(window.location.href);
  for (const name of ["around", "radius", "cursor"]) address.searchParams.delete(name);
  const turned = (east) => ((east + 360) % 360).toFixed(2);
  address.searchParams.set("ra_from", turned(Math.min(...easts)));
  address.searchParams.set("ra_to", turned(Math.max(...easts)));
  address.searchParams.set("dec_from", Math.min(...decs).toFixed(2));
  address.searchParams.set("dec_to", Math.max(...decs).toFixed(2));
  window.location.assign(address);
}

function end(event) {
  if (!start) return;
  const stop = place(event), isBox = Math.hypot(stop[0] - start[0], stop[1] - start[1]) > 8;
  const from = start;
  start = null;
  if (box) box.remove();
  box = null;
  if (isBox) choose(from, stop);
}

if (map) {
  map.addEventListener("pointerdown", (event) => { start = place(event); });
  map.addEventListener("dragstart", (event) => event.preventDefault());
  map.addEventListener("pointermove", (event) => {
    if (!start) return;
    const now = place(event);
    if (!box) {
      box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      box.setAttribute("class", "box");
      map.append(box);
    }
    box.setAttribute("x", Math.min(now[0], start[0]));
    box.setAttribute("y", Math.min(now[1], start[1]));
    box.setAttribute("width", Math.abs(now[0] - start[0]));
    box.setAttribute("height", Math.abs(now[1] - start[1]));
  });
  window.addEventListener("pointerup", end);
}
