// The source leads, with its sound; the edit follows: it is nudged by its speed, and jumps where it is far off.
const NUDGE = 0.02;
const JUMP = 0.3;

const find = (selector) => element.querySelector(selector);
const lead = () => find(".te-old video");
const follow = () => find(".te-new video");
const spoken = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function show() {
  const [a, seek] = [lead(), find(".te-seek")];
  if (!a || !seek) return;
  const length = Number.isFinite(a.duration) ? a.duration : follow().duration || 1;
  if (!seek.matches(":active")) seek.value = a.currentTime / length;
  seek.style.setProperty("--range_progress", `${(100 * a.currentTime) / length}%`);
  find("output").value = `${spoken(a.currentTime)} / ${spoken(length)}`;
  const play = find(".te-play");
  play.toggleAttribute("data-playing", !a.paused);
  play.setAttribute("aria-label", a.paused ? play.dataset.play : play.dataset.pause);
}

function keepTogether() {
  const [a, b] = [lead(), follow()];
  if (!a || a.paused) {
    b?.pause();
    show();
    return;
  }
  const ahead = b.currentTime - a.currentTime;
  if (Math.abs(ahead) > JUMP) b.currentTime = a.currentTime;
  b.playbackRate = Math.abs(ahead) > NUDGE ? 1 - Math.sign(ahead) * 0.08 : 1;
  if (b.paused && !b.ended) b.play().catch(() => {});
  show();
  requestAnimationFrame(keepTogether);
}

function toggle() {
  const [a, b] = [lead(), follow()];
  if (!a.paused) return a.pause();
  if (a.ended) a.currentTime = 0;
  b.currentTime = a.currentTime;
  Promise.all([a.play(), b.play()]).then(keepTogether).catch(show);
}

element.addEventListener("click", (event) => {
  const mode = event.target.closest("button[data-mode]");
  if (event.target.closest(".te-play")) toggle();
  else if (mode) {
    find(".te-player").dataset.mode = mode.dataset.mode;
    element.querySelectorAll("button[data-mode]").forEach((b) => b.setAttribute("aria-pressed", b === mode));
  } else if (event.target.closest("figure") && find(".te-player").dataset.mode === "side") toggle();
});

element.addEventListener("input", (event) => {
  if (event.target.matches(".te-wipe")) find(".te-screens").style.setProperty("--wipe", `${event.target.value}%`);
  if (event.target.matches(".te-seek")) {
    const length = Number.isFinite(lead().duration) ? lead().duration : follow().duration;
    lead().currentTime = follow().currentTime = event.target.value * length;
    show();
  }
});

// Media events do not bubble, but they can be caught on their way down.
for (const name of ["loadedmetadata", "seeked", "pause"]) element.addEventListener(name, show, true);
watch("value", () => props.value && element.scrollIntoView({ behavior: "smooth", block: "nearest" }));
element.addEventListener("ended", (event) => event.target === lead() && show(), true);
