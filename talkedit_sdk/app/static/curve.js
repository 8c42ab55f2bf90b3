// Points are dragged or moved with the arrow keys. The first and the last keep their place in time.
const GAP = 0.02;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const rounded = (value) => Math.round(value * 100) / 100;

function moved(at, x, y) {
  const points = props.value.map((point) => [...point]);
  const last = points.length - 1;
  const place = at === 0 ? 0 : at === last ? 1 : clamp(x, points[at - 1][0] + GAP, points[at + 1][0] - GAP);
  points[at] = [rounded(place), rounded(clamp(y, 0, 1))];
  return points;
}

function show(points) {
  const line = points.map(([x, y]) => `${100 * x},${100 - 100 * y}`).join(" ");
  element.querySelector("polyline").setAttribute("points", line);
  element.querySelector("polygon").setAttribute("points", `0,100 ${line} 100,100`);
  element.querySelectorAll(".te-handle").forEach((handle, at) => {
    handle.style.left = `${100 * points[at][0]}%`;
    handle.style.top = `${100 - 100 * points[at][1]}%`;
  });
}

function settle(points, at) {
  props.value = points;
  trigger("input");
  if (at !== null) {
    requestAnimationFrame(() => element.querySelector(`[data-at="${at}"]`)?.focus({ preventScroll: true }));
  }
}

let dragged = null;
let points = null;

element.addEventListener("pointerdown", (event) => {
  const handle = event.target.closest(".te-handle");
  if (!handle) return;
  dragged = Number(handle.dataset.at);
  points = props.value;
  handle.setPointerCapture(event.pointerId);
});

element.addEventListener("pointermove", (event) => {
  if (dragged === null) return;
  const box = element.querySelector(".te-graph").getBoundingClientRect();
  points = moved(dragged, (event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
  show(points);
});

const drop = () => {
  if (dragged === null) return;
  const at = dragged;
  dragged = null;
  settle(points, at);
};
element.addEventListener("pointerup", drop);
element.addEventListener("pointercancel", drop);

element.addEventListener("keydown", (event) => {
  const handle = event.target.closest(".te-handle");
  const step = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
  if (!handle || !step) return;
  event.preventDefault();
  const at = Number(handle.dataset.at);
  const [x, y] = props.value[at];
  settle(moved(at, x + 0.02 * step[0], y + 0.05 * step[1]), at);
});

element.addEventListener("click", (event) => {
  const shape = event.target.closest("[data-shape]");
  if (shape) settle(props.shapes[Number(shape.dataset.shape)].points, null);
});
