// A choice is told once; the radio button keeps the focus although the template is drawn anew.
element.addEventListener("change", (event) => {
  const chosen = event.target.value;
  props.value = chosen;
  trigger("input");
  requestAnimationFrame(() => element.querySelector(`input[value="${chosen}"]`)?.focus({ preventScroll: true }));
});
