// The template never changes: a new picture takes the old one's place only when it is decoded, so nothing flashes.
const find = (selector) => element.querySelector(selector);

async function show() {
  const value = props.value;
  if (!value) {
    find(".te-compare").hidden = true;
    return;
  }
  for (const [selector, source] of [[".te-old", value.before.url], [".te-new", value.after]]) {
    const picture = find(selector);
    if (picture.src === source) continue;
    const next = new Image();
    next.src = source;
    await next.decode().catch(() => {});
    if (props.value !== value) return;
    picture.src = source;
  }
  find(".te-compare").hidden = false;
}

element.addEventListener("input", (event) => {
  find(".te-compare").style.setProperty("--wipe", `${event.target.value}%`);
});
watch("value", show);
show();
